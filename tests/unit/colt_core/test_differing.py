"""In which settings two runs differ."""

from __future__ import annotations

from typing import Any

import pytest

from colt_core.config import PretrainConfig
from colt_core.differing import UNREAD, differing_settings


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({}, {"seed": 4}, []),
        # These name or place a run.
        ({}, {"preset": "digits", "device": "cpu", "num_processes": 2, "checkpoint_interval": 3}, []),
        # These change what is reported of it.
        ({}, {"group_thresholds": {}}, ["group_thresholds"]),
        ({}, {"temperature": 0.5, "epochs": 700}, ["epochs", "temperature"]),
        # What only one of two kinds reads comes with the kind.
        ({"sampler": "colt"}, {"sampler": "none", "match_steps": True}, ["sampler"]),
        ({"sampler": "colt"}, {"sampler": "random", "sample_budget": 10}, ["sampler", "sample_budget"]),
        ({"sampler": "none"}, {"sampler": "none", "match_steps": True}, ["match_steps"]),
        # BCL's prune_share may be None, and is not SDCLR's.
        (
            {"framework": "sdclr", "prune_share": 0.5},
            {"framework": "bcl", "bcl_variant": "D", "prune_share": 0.9, "weight_decay": 1e-4},
            ["framework"],
        ),
    ],
)
def test_it_names_what_can_change_a_result(one: dict[str, Any], other: dict[str, Any], expected: list[str]) -> None:
    first, second = (PretrainConfig.model_validate(settings) for settings in (one, other))
    assert differing_settings(first, second) == differing_settings(second, first) == expected


def test_what_makes_no_other_setting_is_free_to_change_at_resume() -> None:
    assert PretrainConfig().free_at_resume() == UNREAD - {"seed"} | {"group_thresholds"}
