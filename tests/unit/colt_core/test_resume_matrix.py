"""Every framework with every sampler: stopped at a random step and resumed, a run ends bit for bit the same."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from colt_core.events import CheckpointReady, RoundDone, StepDone, Stopped
from colt_core.training.checkpoint import load_checkpoint, save_checkpoint
from tests.unit.colt_core.tiny_runs import config, difference, kinds, run, stop_after

FRAMEWORKS: dict[str, dict[str, Any]] = {
    "simclr": {"framework": "simclr"},
    "sdclr": {"framework": "sdclr"},
    "bcl-I": {"framework": "bcl", "bcl_variant": "I"},
    "bcl-D": {"framework": "bcl", "bcl_variant": "D"},
}
SAMPLERS: dict[str, dict[str, Any]] = {
    "none": {"sampler": "none"},
    "none with matched steps": {"sampler": "none", "match_steps": True},
    "random": {"sampler": "random"},
    "mak": {"sampler": "mak", "mak_passes": 2},
    "colt": {"sampler": "colt"},
}


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_stopped_at_a_random_step_and_resumed_it_ends_bit_for_bit_the_same(
    framework: str, sampler: str, tmp_path: Path
) -> None:
    """All events are compared, losses, tailness and picks among them, and the last state: weights and all else."""
    made = config(
        **FRAMEWORKS[framework], **SAMPLERS[sampler], epochs=3, warmup_epochs=1, sample_budget=6, checkpoint_interval=5
    )
    whole = run(made)
    # `should_stop` is asked after each step and each round; the last of all would leave nothing to resume.
    asks = len(kinds(whole, StepDone, RoundDone))
    stop = random.Random(f"{framework}/{sampler}").randrange(1, asks)
    before = run(made, should_stop=stop_after(stop))
    checkpoint, stopped = before[-2:]
    assert isinstance(checkpoint, CheckpointReady) and isinstance(stopped, Stopped)
    save_checkpoint(checkpoint.state, tmp_path / "checkpoint.pt")
    after = run(made, resume_from=load_checkpoint(tmp_path / "checkpoint.pt"))
    assert difference(before[:-2] + after, whole) is None
