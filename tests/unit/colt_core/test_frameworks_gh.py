"""Geometric Harmonization, beside loops that follow its formulas word for word."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from colt_core.batch import Batch
from colt_core.config import PretrainConfig
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.framework import ViewOutputs
from colt_core.frameworks.gh import GH, equal_angles, gh_loss, label_shares, surrogate_labels
from colt_core.losses import nt_xent
from tests.support.tiny_runs import config


def gh(epochs: int = 100, num_train: int = 9, **own: int) -> GH:
    framework = build_framework(config(framework="gh", epochs=epochs, **own), num_train)
    assert isinstance(framework, GH)
    return framework


def unit(rows: int, seed: int = 0) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(rows, 8, generator=torch.Generator().manual_seed(seed)), dim=1)


def batch(index: list[int], is_ood: list[bool], *, first: bool = True, is_repeat: list[bool] | None = None) -> Batch:
    repeat = None if is_repeat is None else torch.tensor(is_repeat)
    return Batch(torch.empty(0), torch.tensor(is_ood), torch.tensor(index), first, repeat)


def slow_labels(t: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Sinkhorn in float64 on the matrix itself: columns to B pi, then rows to 1."""
    q = np.exp(t.astype(np.float64) / 0.05)
    for _ in range(300):
        q *= len(t) * share / q.sum(axis=0)
        q /= q.sum(axis=1, keepdims=True)
    return q


@pytest.mark.parametrize(("count", "dim"), [(2, 1), (2, 8), (5, 4), (5, 8), (100, 99), (20, 128)])
def test_directions_are_unit_vectors_of_which_any_two_have_one_angle(count: int, dim: int) -> None:
    with torch.random.fork_rng(devices=[]):
        directions = equal_angles(count, dim)
    expected = torch.full((count, count), -1 / (count - 1)).fill_diagonal_(1)
    torch.testing.assert_close(directions @ directions.T, expected, rtol=0, atol=1e-5)


def test_more_directions_than_dimensions_allow_are_refused_where_they_are_set() -> None:
    with pytest.raises(ValidationError, match="projection_dim 8: choose at most 9") as refused:
        PretrainConfig.resolve({"framework": "gh", "projection_dim": 8, "gh_directions": 10})
    assert refused.value.errors()[0]["loc"] == ("gh_directions",)
    assert PretrainConfig.resolve({"framework": "gh", "projection_dim": 8, "gh_directions": 9})
    with pytest.raises(ValueError, match=r"2\.\.9 for 8 dimensions, not 10"):
        equal_angles(10, 8)


@settings(max_examples=25)
@given(size=st.integers(1, 9), seed=st.integers(0, 9999), empty=st.booleans())
def test_labels_and_loss_are_those_of_the_slow_sinkhorn(size: int, seed: int, empty: bool) -> None:
    draw = np.random.default_rng(seed)
    t = draw.normal(size=(2, size, 4)).astype(np.float32)
    t /= np.linalg.norm(t, axis=2, keepdims=True)
    counts = draw.integers(1, 9, 4) * (np.arange(4) > 0 if empty else 1)
    share = np.maximum(counts / counts.sum(), 1e-6)
    share /= share.sum()
    first, second = (slow_labels(view, share) for view in t)
    found = surrogate_labels(torch.from_numpy(t), torch.from_numpy(share))
    np.testing.assert_allclose(found.numpy(), np.stack([first, second]), atol=2e-4)
    expected = 0.0
    for labels, view in ((second, t[0]), (first, t[1])):
        for q, row in zip(labels, view.astype(np.float64) / 0.1, strict=True):
            log_sum = math.log(sum(math.exp(value) for value in row))
            expected -= sum(q[k] * (row[k] - log_sum) for k in range(4)) / (2 * size)
    assert float(gh_loss(torch.from_numpy(t), torch.from_numpy(share))) == pytest.approx(expected, rel=1e-3)


def test_labels_have_the_columns_mass_and_no_gradient() -> None:
    t, share = unit(16, seed=3).view(2, 8, 8).requires_grad_(), torch.arange(1.0, 9) / 36
    labels = surrogate_labels(t, share)
    torch.testing.assert_close(labels.sum(dim=2), torch.ones(2, 8))
    torch.testing.assert_close(labels.sum(dim=1), (8 * share).expand(2, 8), rtol=0.02, atol=0.01)
    assert not labels.requires_grad
    gh_loss(t, share).backward()
    assert t.grad is not None and t.grad.abs().sum() > 0


def test_a_label_without_a_sample_keeps_a_little_mass() -> None:
    shares = label_shares(torch.eye(4)[[0, 0, 2, 0]])
    assert shares.tolist() == pytest.approx([0.75, 1e-6, 0.25, 1e-6], rel=1e-5)
    assert float(shares.sum()) == pytest.approx(1)


def test_the_weight_rises_after_half_the_run() -> None:
    model = gh(epochs=100, gh_ramp_epochs=4)
    weights = []
    for epoch in (1, 50, 51, 52, 54, 55, 100):
        model.begin_epoch(epoch)
        weights.append(float(model.weight))
    assert weights == [0, 0, 0.25, 0.5, 1, 1, 1]


def test_the_loss_is_simclrs_and_from_half_the_run_on_that_of_the_id_samples_labels_too() -> None:
    model, z, is_ood = gh(epochs=100, gh_ramp_epochs=4), unit(10), [False, True, False, False, True]
    mixed = batch([0, 1, 2, 3, 4], is_ood)
    simclr = float(nt_xent(z, 0.2)[0])
    model.begin_epoch(50)
    assert float(model.loss(ViewOutputs(z), mixed, 0.2).mean) == simclr
    assert model.constant_loss(5) == pytest.approx(math.log(9))
    model.begin_epoch(52)
    rows = [i for i, ood in enumerate(is_ood) if not ood]
    t = torch.stack([z[rows], z[[5 + i for i in rows]]]) @ model.directions_KD.T
    t = torch.nn.functional.normalize(t, dim=2)
    labels = [slow_labels(view.numpy(), model.share_K.numpy()) for view in t]
    cross = [
        -(torch.from_numpy(q) * (view / 0.1).log_softmax(dim=1)).sum(dim=1).mean()
        for q, view in zip(labels[::-1], t, strict=True)
    ]
    found = model.loss(ViewOutputs(z), mixed, 0.2)
    assert float(found.mean) == pytest.approx(simclr + 0.5 * float(sum(cross)) / 2, rel=1e-4)
    assert torch.equal(found.per_sample, nt_xent(z, 0.2)[1])
    assert model.constant_loss(5) is None
    assert float(model.loss(ViewOutputs(z), batch([0, 1, 2, 3, 4], [True] * 5), 0.2).mean) == simclr


@pytest.mark.parametrize("seed", range(3))
def test_averages_and_shares_are_those_of_a_loop_over_samples(seed: int) -> None:
    """In 200 epochs shares are counted every fourth. OOD samples with the same indices are among
    them, and repeats and second passes, which count for nothing."""
    model, draw = gh(epochs=200), random.Random(seed)
    average: dict[int, Tensor] = {}
    for number, epoch in enumerate((1, 2, 4, 5, 100, 101, 105)):
        expected = model.share_K.clone()
        if epoch in (1, 5, 101, 105) and average:
            counts = [0] * 5
            for value in average.values():
                counts[int(value.argmax())] += 1
            raw = [max(count / len(average), 1e-6) for count in counts]
            expected = torch.tensor(raw) / sum(raw)
        model.begin_epoch(epoch)
        torch.testing.assert_close(model.share_K, expected)
        momentum = 0.9 if epoch <= 100 else 0.999
        index = draw.sample(range(9), 4)
        is_ood, is_repeat = [draw.random() < 0.3 for _ in index], [draw.random() < 0.2 for _ in index]
        z, first = unit(8, seed=10 * seed + number), number != 1
        model.after_step(ViewOutputs(z), batch(index, is_ood, first=first, is_repeat=is_repeat))
        for place, (sample, ood, repeat) in enumerate(zip(index, is_ood, is_repeat, strict=True)):
            if first and not ood and not repeat:
                views = [model.directions_KD @ z[row] for row in (place, 4 + place)]
                new = sum(view / view.norm() for view in views) / 2
                average[sample] = new if sample not in average else momentum * average[sample] + (1 - momentum) * new
    assert model.seen_N.nonzero().flatten().tolist() == sorted(average)
    for sample, value in average.items():
        torch.testing.assert_close(model.average_NK[sample], value)
