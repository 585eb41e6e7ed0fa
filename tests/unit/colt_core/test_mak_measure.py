"""What MAK measures of a pool, against slow, obvious loops; and runs with it, from configuration to
resume."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from colt_core.augment import BatchAugmenter
from colt_core.config import PretrainConfig
from colt_core.events import Finished, RoundDone
from colt_core.frameworks.bcl import BCL
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.framework import Framework
from colt_core.seeding import generator
from colt_core.training.embed import extract_features
from colt_core.training.measure import measure_pool, pairwise_loss, pool_batches
from tests.support.tiny_runs import POOL, TRAIN, config, difference, kinds, run


def slow_pairwise_loss(z: list[list[list[float]]], temperature: float) -> list[float]:
    """By the definition: every pair of passes a batch of 2B views, every anchor a sum over its 2B -
    1 others."""
    passes, batch = len(z), len(z[0])
    losses = [0.0] * batch
    pairs = list(combinations(range(passes), 2))
    for pair in pairs:
        views = [(r, a) for r in pair for a in range(batch)]
        similarity = {
            (i, j): sum(x * y for x, y in zip(z[i[0]][i[1]], z[j[0]][j[1]], strict=True)) / temperature
            for i in views
            for j in views
        }
        for r, i in views:
            partner = (sum(pair) - r, i)
            norm = sum(math.exp(similarity[(r, i), other]) for other in views if other != (r, i))
            losses[i] += 0.5 * (math.log(norm) - similarity[(r, i), partner])
    return [loss / len(pairs) for loss in losses]


def unit_views(passes: int, batch: int, dim: int = 6, seed: int = 0) -> Tensor:
    drawn = torch.randn(passes, batch, dim, generator=torch.Generator().manual_seed(seed))
    return normalize(drawn, dim=2)


@pytest.mark.parametrize(("passes", "batch"), [(2, 5), (4, 3), (3, 1), (5, 2)])
@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_the_loss_over_pairs_is_the_slow_one(passes: int, batch: int, temperature: float) -> None:
    z = unit_views(passes, batch)
    expected = slow_pairwise_loss(z.tolist(), temperature)
    assert pairwise_loss(z, temperature).tolist() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_a_tiny_temperature_neither_overflows_nor_vanishes() -> None:
    assert pairwise_loss(unit_views(3, 4), 1e-4).isfinite().all()


@settings(max_examples=40)
@given(num_pool=st.integers(1, 300), batch_size=st.integers(2, 40))
def test_pool_batches_hold_every_image_once_and_are_alike_in_size(num_pool: int, batch_size: int) -> None:
    batches = pool_batches(num_pool, batch_size, seed=0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(num_pool))
    sizes = {len(batch) for batch in batches}
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(2, num_pool)
    assert max(sizes) <= max(3, batch_size)
    assert [batch.tolist() for batch in batches] == [b.tolist() for b in pool_batches(num_pool, batch_size, seed=0)]


def measured(**settings: Any) -> tuple[Framework, BatchAugmenter, PretrainConfig]:
    made = config(**{"sampler": "mak", "mak_passes": 3, "precision": "fp32", **settings})
    return build_framework(made, len(TRAIN)), BatchAugmenter.of(made), made


@pytest.mark.parametrize("changed", [{}, {"framework": "bcl", "bcl_variant": "D"}])
def test_a_pool_is_measured_as_by_hand(changed: dict[str, Any]) -> None:
    """Through the dense branch, and by views without RandAugment, where a framework has a pruned
    one and operations."""
    framework, augment, made = measured(**changed)
    strength = torch.zeros(made.batch_size) if changed else None
    if isinstance(framework, BCL):
        framework.strength_N.fill_(1)  # of training images, which share their indices with the pool's
    framework.train()
    before = {name: value.clone() for name, value in framework.state_dict().items()}
    measures = measure_pool(framework, TRAIN, POOL, augment, made)
    assert framework.training
    assert all(torch.equal(value, before[name]) for name, value in framework.state_dict().items())

    expected = np.zeros(len(POOL))
    framework.eval()
    batches = pool_batches(len(POOL), made.batch_size, made.seed)
    z_of: dict[int, list[list[float]]] = {}  # the three views of an image
    for number, index in enumerate(batches):
        pixels = torch.from_numpy(POOL[index])
        strengths = None if strength is None else strength[: len(index)]
        views = [augment(pixels, generator(made.seed, "mak views", number, n), strengths) for n in range(3)]
        with torch.no_grad():
            z = torch.stack([normalize(framework.projector(framework.backbone(view))) for view in views])
        z_of |= {int(image): z[:, row].tolist() for row, image in enumerate(index)}
    dealt = np.concatenate(batches)
    for partition in range(10):
        order = torch.randperm(len(dealt), generator=generator(made.seed, "mak partitions", 0, partition))
        for part in np.array_split(dealt[order.numpy()], len(batches)):
            z = [[z_of[int(image)][view] for image in part] for view in range(3)]
            expected[part] += np.array(slow_pairwise_loss(z, made.temperature)) / 10
    np.testing.assert_allclose(measures.ood_loss, expected, rtol=1e-5)
    for features, images in ((measures.id_features, TRAIN), (measures.ood_features, POOL)):
        raw = extract_features(framework.backbone, images, precision="fp32")
        np.testing.assert_allclose(features, raw / np.linalg.norm(raw, axis=1, keepdims=True), rtol=1e-5)


def test_memory_maps_and_tensors_are_measured_alike(tmp_path: Any) -> None:
    framework, augment, made = measured()
    np.save(tmp_path / "pool.npy", POOL)
    mapped = np.load(tmp_path / "pool.npy", mmap_mode="r")
    arrays = measure_pool(framework, TRAIN, POOL, augment, made)
    maps = measure_pool(framework, TRAIN, mapped, augment, made)
    tensors = measure_pool(framework, torch.from_numpy(TRAIN), torch.from_numpy(POOL), augment, made)
    assert difference(arrays, maps) is None
    assert difference(arrays, tensors) is None
    with pytest.raises(ValueError, match="no images"):
        measure_pool(framework, TRAIN, POOL[:0], augment, made)


def test_seed_and_passes_count() -> None:
    framework, augment, made = measured()
    losses = [
        measure_pool(framework, TRAIN, POOL, augment, changed).ood_loss.tolist()
        for changed in (made, measured(seed=1)[2], measured(mak_passes=4)[2])
    ]
    assert losses[0] != losses[1]
    assert losses[0] != losses[2]


def test_a_run_picks_once() -> None:
    whole = run(config(sampler="mak", mak_passes=2))
    (event,) = kinds(whole, RoundDone)
    assert isinstance(event, RoundDone)
    assert (event.round, event.epoch, event.step) == (1, 3, 8)
    assert len(set(event.selected.tolist())) == 24
    assert isinstance(whole[-1], Finished) and whole[-1].step == 22
