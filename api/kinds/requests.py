"""Requests for work on a checkpoint: the settings of a kind, and the checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, Field, create_model

from colt_core.tagged import TaggedSettings, one_of


class OfCheckpoint(BaseModel):
    """What all these requests have."""

    checkpoint_id: str | None = Field(
        None, min_length=1, max_length=64, description="Default: the job's last checkpoint."
    )


def requests_for(kinds: Iterable[type[TaggedSettings]]) -> Any:
    """The type of a request for one of these kinds, with `kind` as discriminator.

    The model made from `FeatureMapConfig` is called `NewFeatureMap`.
    """
    return one_of(
        create_model(
            f"New{kind.__name__.removesuffix('Config')}",
            __base__=(OfCheckpoint, kind),
            __doc__=kind.summary(),
            __module__=__name__,
        )
        for kind in kinds
    )
