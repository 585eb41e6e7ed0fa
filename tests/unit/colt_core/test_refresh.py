"""Rounds that embed a part of the pool again (`pool_refresh: candidates`), and pools too large for
memory."""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from colt_core.augment import BatchAugmenter
from colt_core.config import PretrainConfig
from colt_core.distributed import Ranks
from colt_core.distributed.ranks import ALONE
from colt_core.events import CheckpointReady, Finished, Float32, RoundDone
from colt_core.samplers.build import build_sampler
from colt_core.samplers.clustering import cluster_embeddings
from colt_core.samplers.colt import ColtSampler
from colt_core.samplers.round import sampling_round
from colt_core.samplers.search import most_similar
from colt_core.training import pool_embeddings
from colt_core.training.batches import shuffled_batches
from colt_core.training.checkpoint import load_checkpoint, save_checkpoint
from colt_core.training.device import Compute
from colt_core.training.embed import embed
from colt_core.training.pool_embeddings import embed_pool
from colt_core.training.pretrain import pretrain
from colt_core.training.refresh import TURNS, best_candidates, carried_forward, number_to_embed, refreshed_indices
from colt_core.training.rounds import find_round
from colt_core.training.state import TrainingState
from tests.support.rank_processes import OnRanks
from tests.support.tiny_runs import POOL, TRAIN, config, difference, kinds, run, stop_after

SETTINGS: dict[str, Any] = {
    "pool_refresh": "candidates",
    "sample_budget": 6,
    "epochs": 6,
    "precision": "fp32",
    "ood_neighbors": 5,
}


def candidate_config(**settings: Any) -> PretrainConfig:
    return config(**{**SETTINGS, **settings})


def turned(z: Float32, seed: int = 0) -> Float32:
    """The rows after a rotation and a shift, normalised: a change that is common to all."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.standard_normal((z.shape[1], z.shape[1])))
    moved = z @ rotation + 0.3 * rng.standard_normal(z.shape[1])
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


def unit_rows(count: int, dim: int = 6, seed: int = 0) -> Float32:
    rows = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# --- which images


def test_every_image_has_its_turn_once_in_a_fixed_number_of_rounds() -> None:
    turns = [refreshed_indices(1003, number, seed=5) for number in range(2, 2 + 2 * TURNS)]
    assert sorted(np.concatenate(turns[:TURNS]).tolist()) == list(range(1003))
    assert max(map(len, turns)) - min(map(len, turns)) <= 1
    for first, again in zip(turns[:TURNS], turns[TURNS:], strict=True):
        np.testing.assert_array_equal(first, again)
    assert set(refreshed_indices(1003, 2, seed=6)) != set(turns[0])
    assert [len(refreshed_indices(3, number, seed=0)) for number in range(4)] == [1] * 4


@pytest.mark.parametrize(("num_pool", "budget", "number"), [(50_000, 5_000, 15_000), (100, 40, 80), (100, 90, 100)])
def test_a_share_is_embedded_or_what_the_budget_needs(num_pool: int, budget: int, number: int) -> None:
    assert number_to_embed(num_pool, budget) == number


def test_a_change_common_to_all_is_learned_from_a_few() -> None:
    before = unit_rows(400)
    now, known = turned(before), before.astype(np.float16)
    index = np.arange(0, 400, 10)
    carried = carried_forward(known, index, now[index])
    np.testing.assert_array_equal(carried[index], now[index])
    np.testing.assert_allclose(np.linalg.norm(carried, axis=1), 1, rtol=1e-5)
    assert (carried * now).sum(axis=1).mean() > 0.98 > 0.5 > (before * now).sum(axis=1).mean()


def test_nothing_is_learned_where_nothing_changed_or_too_little_is_seen() -> None:
    known = unit_rows(50)
    still = carried_forward(known.astype(np.float16), np.arange(5), known[:5])
    np.testing.assert_allclose(still, known, atol=2e-3)


def test_candidates_are_what_a_larger_budget_would_pick_of_the_others() -> None:
    id_z, z, made = unit_rows(60, seed=1), unit_rows(100), config(num_clusters=3)
    tailness, done = np.linspace(-1, 0, 60, dtype=np.float32), np.arange(0, 100, 4)
    found = best_candidates(z, done, 30, id_z, tailness, made)
    assert len(found) == 30 and found.tolist() == sorted(set(found.tolist()))
    assert not set(found) & set(done)
    others = np.setdiff1d(np.arange(100), done)
    wanted = sampling_round(id_z, z[others], tailness, ColtSampler(), made.model_copy(update={"sample_budget": 30}), 1)
    assert set(found) == set(others[wanted["selected"]])


# --- runs


@pytest.fixture(scope="module")
def candidates_run() -> list[Any]:
    return run(candidate_config(checkpoint_interval=1))


def started(made: PretrainConfig) -> TrainingState:
    data = {"num_train": len(TRAIN), "num_pool": len(POOL), "image_size": 16}
    return TrainingState.start(made, data, Compute.of(made))


def test_the_first_round_is_that_of_a_full_run(candidates_run: list[Any]) -> None:
    first = kinds(candidates_run, RoundDone)[0]
    assert first.ood_embedded == len(POOL)
    assert difference(first, kinds(run(candidate_config(pool_refresh="full")), RoundDone)[0]) is None


def test_later_rounds_embed_a_part_and_pick_from_it(candidates_run: list[Any]) -> None:
    """Each is found again from the weights before it; a resumed run would see the checkpoint
    alone."""
    rounds = kinds(candidates_run, RoundDone)
    assert len(rounds) == 4
    states = {event.epoch: event.state for event in kinds(candidates_run, CheckpointReady)}
    for event in rounds[1:]:
        state = started(candidate_config(checkpoint_interval=1))
        state.restore(states[event.epoch - 1])
        assert state.known_pool is not None
        id_z, fresh = (embed(state.framework, images, precision="fp32") for images in (TRAIN, POOL))
        first = refreshed_indices(len(POOL), event.round, state.config.seed)
        z = carried_forward(state.known_pool, first, fresh[first])
        scores = state.tailness.scores().numpy()
        more = best_candidates(z, first, event.ood_embedded - len(first), id_z, scores, state.config)
        z[more] = fresh[more]
        index = np.union1d(first, more)
        assert event.ood_embedded == len(index) == number_to_embed(len(POOL), 6) < len(POOL) / 2
        expected = sampling_round(id_z, z, scores, ColtSampler(), state.config, event.round, pickable=index)
        assert set(event.selected) <= set(index)
        np.testing.assert_array_equal(event.selected, expected["selected"])
        np.testing.assert_allclose(event.ood_tailness, expected["ood_tailness"], rtol=1e-4)


@pytest.mark.parametrize("budget", [15, 27, 30])
def test_a_budget_of_half_the_pool_or_more_embeds_all_of_it(budget: int) -> None:
    settings = {"sample_budget": budget, "epochs": 4}
    full, part = (
        kinds(run(candidate_config(pool_refresh=refresh, **settings)), RoundDone) for refresh in ("full", "candidates")
    )
    assert difference(full, part) is None


@pytest.mark.parametrize(("num_pool", "budget", "embedded"), [(30, 14, 28), (3, 1, 2), (2, 1, 2), (1, 1, 1)])
def test_small_pools_and_budgets_of_nearly_half_are_enough(num_pool: int, budget: int, embedded: int) -> None:
    made = candidate_config(sample_budget=budget, epochs=4, ood_neighbors=1)
    rounds = kinds(list(pretrain(made, TRAIN, POOL[:num_pool])), RoundDone)
    assert [event.ood_embedded for event in rounds] == [num_pool, embedded]
    for event in rounds:
        assert len(set(event.selected)) == len(event.selected) == budget


def test_a_pool_too_large_to_be_carried_in_checkpoints_is_refused() -> None:
    made = PretrainConfig.resolve({"pool_refresh": "candidates"})
    assert made.data_problems(10_000, 2_000_000) == []
    assert [field for field, _ in made.data_problems(10_000, 3_000_000)] == ["pool_refresh"]


# Asked after each step and round: in a round's epoch, right after a round, and both later on.
@pytest.mark.parametrize("stops", [[9], [10], [3, 7, 4, 5], [14, 9]])
def test_a_resumed_run_ends_bit_for_bit_the_same(stops: list[int], candidates_run: list[Any], tmp_path: Path) -> None:
    told: list[Any] = []
    state = None
    for calls in [*stops, 10_000]:
        events = run(candidate_config(checkpoint_interval=1), resume_from=state, should_stop=stop_after(calls))
        if isinstance(events[-1], Finished):
            break
        told += events[:-2]
        save_checkpoint(events[-2].state, tmp_path / "checkpoint.pt")
        state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert difference(told + events, candidates_run) is None


@pytest.mark.parametrize(
    "settings", [{"pool_refresh": "full"}, {"sample_budget": 15}, {"epochs": 3}], ids=["full", "half", "one round"]
)
def test_what_no_round_will_use_is_not_carried(settings: dict[str, Any]) -> None:
    checkpoints = kinds(run(candidate_config(**{"checkpoint_interval": 1, "epochs": 4, **settings})), CheckpointReady)
    assert not any("known_pool" in checkpoint.state for checkpoint in checkpoints)


def test_it_is_carried_to_the_last_round(candidates_run: list[Any]) -> None:
    rounds = [event.epoch for event in kinds(candidates_run, RoundDone)]
    carried = [event.epoch for event in kinds(candidates_run, CheckpointReady) if "known_pool" in event.state]
    assert carried == list(range(rounds[0], rounds[-1]))


def _on_run(ranks: Ranks) -> list[Any]:
    settings = {"num_processes": ranks.size, "learning_rate": 1e-3, "temperature": 1.0}
    return kinds(run(candidate_config(**settings)), RoundDone)


def test_several_ranks_agree_and_pick_as_one_process_does(ranks_of: Callable[[int], OnRanks]) -> None:
    first, second = ranks_of(2)(_on_run)
    assert difference(first, second) is None
    for mine, theirs in zip(first, _on_run(ALONE), strict=True):
        assert mine.ood_embedded == theirs.ood_embedded
        np.testing.assert_array_equal(mine.selected, theirs.selected)


@pytest.mark.parametrize("sampler", ["none", "random", "mak"])
def test_what_has_no_candidates_is_refused(sampler: str) -> None:
    with pytest.raises(ValidationError, match="pool_refresh"):
        PretrainConfig.resolve({"sampler": sampler, "pool_refresh": "candidates"})


# --- large pools


@pytest.fixture
def all_is_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Every pool's embeddings go to a file in this folder."""
    monkeypatch.setattr(pool_embeddings, "LARGEST_IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_embeddings_of_a_large_pool_are_half_precision_in_a_file_without_a_name(all_is_large: Path) -> None:
    framework = started(config()).framework
    z = embed_pool(framework, framework.embed, POOL, None, 8, "fp32", ALONE)
    assert isinstance(z, np.memmap) and z.dtype == np.float16
    np.testing.assert_array_equal(z, embed(framework, POOL, precision="fp32").astype(np.float16))
    assert not list(all_is_large.iterdir())
    assert str(all_is_large) in Path("/proc/self/maps").read_text()
    del z
    assert str(all_is_large) not in Path("/proc/self/maps").read_text()


def test_a_full_disk_is_an_error(all_is_large: Path) -> None:
    with pytest.raises(OSError, match=r"No space left|File too large"):
        pool_embeddings._allocate(2**50, 128)


@pytest.mark.parametrize("refresh", ["full", "candidates"])
def test_a_run_on_a_large_pool_is_near_that_in_memory(refresh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = candidate_config(pool_refresh=refresh)
    expected = kinds(run(made), RoundDone)[0]
    monkeypatch.setattr(pool_embeddings, "LARGEST_IN_MEMORY", 0)
    rounds = kinds(run(made), RoundDone)
    assert len(rounds) == 4  # the later ones are with other weights already
    # The tiny net's directions differ little, so rounding may change the picks and the images that
    # a tailness is taken from. It does not change how near they are.
    near, nearest = (np.sort(event.ood_similarity[event.selected]) for event in (rounds[0], expected))
    np.testing.assert_allclose(near, nearest, atol=2e-3)
    np.testing.assert_allclose(rounds[0].ood_similarity, expected.ood_similarity, atol=1e-3)
    assert np.isclose(rounds[0].ood_tailness, expected.ood_tailness, rtol=0.01).mean() > 0.9


def _on_large_pool(ranks: Ranks, batch_size: int) -> Any:
    pool_embeddings.LARGEST_IN_MEMORY, pool_embeddings.BATCH_SIZE = 0, batch_size
    framework = started(config()).framework
    index = np.array([29, 3, 4, 11, 0, 17, 5])
    embed = framework.embed
    return [np.array(embed_pool(framework, embed, POOL, chosen, 8, "fp32", ranks)) for chosen in (None, index)], index


@pytest.mark.parametrize("batch_size", [4, 512])
def test_rank_0_has_the_embeddings_that_all_made(ranks_of: Callable[[int], OnRanks], batch_size: int) -> None:
    (whole_and_part, index), (others, _) = ranks_of(2)(_on_large_pool, batch_size)
    expected = embed(started(config()).framework, POOL, precision="fp32")
    for found, wanted, nothing in zip(whole_and_part, (expected, expected[index]), others, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-3)
        assert nothing.shape == (0, 8)


HEADROOM = 128 * 2**20  # bytes that a round and batches may take


def _round_and_batches(pool_file: Path, end: Any) -> None:
    """With no more memory of its own than now and HEADROOM; mapped files do not count."""
    made = config(sample_budget=100, projection_dim=2048, stem="imagenet", precision="fp32")
    state, pool = started(made), np.load(pool_file, mmap_mode="r")
    pool_embeddings.LARGEST_IN_MEMORY = 0
    train = np.random.default_rng(0).integers(0, 256, (64, *pool.shape[1:]), dtype=np.uint8)
    state.tailness.update(torch.arange(26), torch.zeros(26))
    some = unit_rows(64, 2048)  # BLAS takes its workspace now: it has no answer to a refusal but a fault
    cluster_embeddings(some, 3)
    most_similar(some, some, 5)
    _bound_memory(HEADROOM)
    sampler = build_sampler(made)
    assert sampler is not None
    try:
        found = find_round(state, train[:26], pool, sampler, BatchAugmenter.of(made), ALONE)
        batches = list(shuffled_batches(train, pool, found["selected"], 32, 0, 1, 5))
        end.send((found["ood_embedded"], len(batches)))
        np.array(pool)  # what none of it may do
        end.send("the whole pool fits: the bound is none")
    except MemoryError:
        end.send("no memory")


def _bound_memory(more: int) -> None:
    status = Path("/proc/self/status").read_text().splitlines()
    now = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
    resource.setrlimit(resource.RLIMIT_DATA, (now + more, now + more))


def test_neither_pool_nor_embeddings_have_to_fit_in_memory(tmp_path: Path) -> None:
    """A pool of 246 MB, most of them holes, and embeddings that would take 164 MB of float32."""
    pool = np.lib.format.open_memmap(tmp_path / "pool.npy", mode="w+", dtype=np.uint8, shape=(20_000, 3, 64, 64))
    pool[::10_000] = 255
    del pool
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("forkserver").Process(
        target=_round_and_batches, args=(tmp_path / "pool.npy", theirs)
    )
    process.start()
    theirs.close()
    try:
        assert mine.poll(120) and mine.recv() == (20_000, 5)
        assert mine.poll(120) and mine.recv() == "no memory"
    finally:
        process.kill()
        process.join()
        process.close()
        mine.close()
