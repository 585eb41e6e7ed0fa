"""Whole runs of several processes against one: losses, tailness, picks, checkpoints; sizes that
nothing divides.

A tiny net blows rounding up from step to step (a batch norm of few values most of all), hence the
small learning rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from colt_core.config import PretrainConfig
from colt_core.distributed import Ranks
from colt_core.events import CheckpointReady, EpochDone, Event, RoundDone, StepDone, Stopped
from colt_core.training.divergence import TrainingDiverged
from tests.support.rank_processes import OnRanks
from tests.support.tiny_runs import config, difference, kinds, run, stop_after

RanksOf = Callable[[int], OnRanks]


def made(size: int, **settings: Any) -> PretrainConfig:
    small = {"epochs": 3, "warmup_epochs": 1, "precision": "fp32", "learning_rate": 1e-3, "temperature": 1.0}
    return config(**{**small, **settings, "num_processes": size})


def _on_run(ranks: Ranks, settings: PretrainConfig, state: Any = None, stop: int | None = None) -> list[Event]:
    if stop is None or ranks.rank:  # of the others' wishes nothing may come
        return run(settings, resume_from=state, should_stop=lambda: ranks.rank > 0)
    return run(settings, resume_from=state, should_stop=stop_after(stop))


def run_on(on_ranks: OnRanks, *arguments: Any) -> list[Event]:
    """The events of rank 0, which are those of every rank, bit for bit."""
    first, *others = on_ranks(_on_run, *arguments)
    for other in others:
        assert difference(first, other) is None
    return list(first)


# Of 26 ID images, and 30 in the pool.
RUNS: dict[str, tuple[int, dict[str, Any]]] = {
    "batches of 8 end with one of 2": (2, {"sample_budget": 24}),
    "the third rank has none of the last 2": (3, {"sample_budget": 24}),
    "a single image is left out, and the pool's last too": (2, {"batch_size": 5, "sample_budget": 25}),
    "sdclr": (2, {"framework": "sdclr", "batch_size": 7, "sample_budget": 21}),
    "bcl-D": (2, {"framework": "bcl", "bcl_variant": "D", "batch_size": 7, "sample_budget": 21}),
    "mak": (2, {"sampler": "mak", "mak_passes": 2, "sample_budget": 9}),
    "gh and repeats": (2, {"framework": "gh", "gh_ramp_epochs": 1, "sampler": "idfill", "sample_budget": 31}),
    "spread stops before K": (2, {"sampler": "spread", "num_clusters": 1, "spread_stop": 1.0, "sample_budget": 24}),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_that_of_one_process(ranks_of: RanksOf, name: str) -> None:
    size, changed = RUNS[name]
    settings = made(size, **changed)
    found, expected = run_on(ranks_of(size), settings), run(settings.model_copy(update={"num_processes": 1}))
    assert [type(event) for event in found] == [type(event) for event in expected]
    for mine, theirs in zip(found, expected, strict=True):
        match mine, theirs:
            case StepDone(), StepDone():
                assert mine.loss == pytest.approx(theirs.loss, rel=1e-4), f"step {mine.step}"
            case EpochDone(), EpochDone():
                np.testing.assert_allclose(mine.tailness, theirs.tailness, rtol=1e-3)
            case RoundDone(), RoundDone():
                np.testing.assert_array_equal(mine.selected, theirs.selected)
                assert (mine.stop is None) == (theirs.stop is None) == ("stops" not in name)
                np.testing.assert_allclose(mine.ood_tailness, theirs.ood_tailness, rtol=1e-3)
                assert [cluster.size for cluster in mine.clusters] == [cluster.size for cluster in theirs.clusters]


@pytest.mark.parametrize("asked", [7, 10])
def test_rank_0_stops_all_and_they_go_on_bit_for_bit(ranks_of: RanksOf, asked: int) -> None:
    on_ranks, settings = ranks_of(2), made(2, framework="sdclr", sampler="mak", mak_passes=2)
    *before, checkpoint, stopped = run_on(on_ranks, settings, None, asked)
    assert isinstance(checkpoint, CheckpointReady) and isinstance(stopped, Stopped)
    after = run_on(on_ranks, settings, checkpoint.state)
    assert difference([*before, *after], run_on(on_ranks, settings)) is None


def test_a_checkpoint_fits_other_numbers_of_processes(ranks_of: RanksOf) -> None:
    on_ranks, settings, alone = ranks_of(2), made(2), made(1)
    *_, of_one, _ = run(alone, should_stop=stop_after(5))
    *_, of_many, _ = run_on(on_ranks, settings, None, 5)
    assert isinstance(of_one, CheckpointReady) and isinstance(of_many, CheckpointReady)
    expected = [event.loss for event in kinds(run(alone, resume_from=of_one.state), StepDone)]
    for events in (run(alone, resume_from=of_many.state), run_on(on_ranks, settings, of_one.state)):
        assert [event.loss for event in kinds(events, StepDone)] == pytest.approx(expected, rel=1e-4)


def _on_divergence(ranks: Ranks, settings: PretrainConfig, state: Any) -> str:
    with pytest.raises(TrainingDiverged) as raised:
        run(settings, resume_from=state)
    return str(raised.value)


def test_a_diverging_run_ends_on_all_ranks(ranks_of: RanksOf) -> None:
    settings = made(2)
    *_, checkpoint, _ = run(made(1), should_stop=stop_after(2))
    assert isinstance(checkpoint, CheckpointReady)
    checkpoint.state["framework"]["projector.fc1.weight"][0, 0] = math.nan
    first, second = ranks_of(2)(_on_divergence, settings, checkpoint.state)
    assert first == second and "the loss is nan in epoch 1, step 3" in first
