"""In which settings two runs differ: what a difference between their results may come from."""

from __future__ import annotations

from typing import Any

from colt_core.config import PretrainConfig
from colt_core.kinds import Settings

UNREAD = {"seed", "preset", "device", "num_processes", "num_hosts", "checkpoint_interval"}
"""Settings that make no other setting of a run: its seed, and those that merely name or place it."""


def differing_settings(one: PretrainConfig, other: PretrainConfig) -> list[str]:
    """The settings that differ and can change a result, without `UNREAD`.

    A framework or sampler of another kind is one difference, with the settings that only one of the
    two kinds reads. Settings that both read count on their own.

    Returns:
        Flat names, in the order of the configuration; empty for runs that differ by seed alone.
    """
    found = []
    for name in PretrainConfig.model_fields:
        ours, theirs = getattr(one, name), getattr(other, name)
        if isinstance(ours, Settings):
            if ours.kind != theirs.kind:
                found.append(name)
            found += [key for key in _shared(ours, theirs) if getattr(ours, key) != getattr(theirs, key)]
        elif name not in UNREAD and ours != theirs:
            found.append(name)
    return found


def _shared(ours: Settings, theirs: Any) -> list[str]:
    """The names of the settings that both kinds read, with the same meaning."""
    own, others = type(ours).model_fields, type(theirs).model_fields
    return [name for name in own if name in others and own[name].annotation == others[name].annotation]
