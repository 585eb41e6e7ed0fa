"""Every framework with every sampler: stopped at random steps and resumed, a run ends bit for bit
the same."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from colt_core.events import CheckpointReady, Finished, Stopped
from colt_core.frameworks.kinds import frameworks
from colt_core.samplers.kinds import samplers
from colt_core.training.checkpoint import load_checkpoint, save_checkpoint
from tests.support.tiny_runs import config, difference, run, stop_after

FRAMEWORKS: dict[str, dict[str, Any]] = {
    **{kind: {"framework": kind} for kind in frameworks},
    "bcl-D": {"framework": "bcl", "bcl_variant": "D"},
}


@pytest.mark.parametrize("sampler", samplers)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_stopped_at_random_steps_and_resumed_it_ends_bit_for_bit_the_same(
    framework: str, sampler: str, tmp_path: Path
) -> None:
    """All events are compared, losses, tailness and picks among them, and the last state: weights
    and all else.

    Three epochs of 3 + 4 + 4 steps, for sampler "none" 3 each.
    """
    made = config(
        **FRAMEWORKS[framework],
        sampler=sampler,
        epochs=3,
        batch_size=12,
        warmup_epochs=1,
        sample_budget=14,
        mak_passes=2,
        checkpoint_interval=5,
    )
    draw = random.Random(f"{framework}/{sampler}")
    told, state = [], None
    fewest = {"none": 2, "mak": 9}.get(sampler, 4)  # a round that is broken off is done again, and asks so often
    while True:
        events = run(made, resume_from=state, should_stop=stop_after(draw.randint(fewest, fewest + 3)))
        if isinstance(events[-1], Finished):
            break
        *before, checkpoint, stopped = events
        assert isinstance(checkpoint, CheckpointReady) and isinstance(stopped, Stopped)
        save_checkpoint(checkpoint.state, tmp_path / "checkpoint.pt")
        state = load_checkpoint(tmp_path / "checkpoint.pt")
        told += before
    assert state is not None
    assert difference(told + events, run(made)) is None
