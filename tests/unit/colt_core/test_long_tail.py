"""Long-tail cuts: the counts of the literature, and what every cut must hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from colt_core.data import DataError, LongTail, rank_counts, read_indices
from colt_core.data.long_tail import cut

TEN = [str(c) for c in range(10)]


def test_cifar10_lt_counts() -> None:
    counts = rank_counts("exp", 10, 4500, 100)
    assert counts == [4500, 2697, 1617, 969, 581, 348, 208, 125, 75, 45]
    assert sum(counts) == 11_165


def test_cifar100_lt_counts() -> None:
    counts = rank_counts("exp", 100, 450, 100)
    assert sum(counts) == 9_754
    assert (counts[0], counts[-1]) == (450, 4)


def test_pareto_comes_near_the_published_imagenet_splits() -> None:
    counts = rank_counts("pareto", 100, 1280, 256)
    assert (counts[0], counts[-1]) == (1280, 5)
    assert abs(sum(counts) - 12_210) < 100  # ImageNet-100-LT
    assert abs(sum(rank_counts("pareto", 1000, 1280, 256)) - 115_846) < 1_000  # ImageNet-LT


def test_step_has_two_levels_and_the_middle_class_is_head() -> None:
    assert rank_counts("step", 4, 100, 20) == [100, 100, 5, 5]
    assert rank_counts("step", 5, 100, 20) == [100, 100, 100, 5, 5]


def test_balanced_has_as_many_images_as_exp() -> None:
    counts = rank_counts("balanced", 10, 4500, 100)
    assert sum(counts) == 11_165
    assert set(counts) == {1116, 1117}


@given(
    profile=st.sampled_from(["exp", "step", "pareto"]),
    num_classes=st.integers(2, 200),
    tail=st.integers(1, 60),
    ratio=st.integers(1, 300),
)
def test_the_head_is_n_max_and_the_last_class_is_exactly_its_share(
    profile: str, num_classes: int, tail: int, ratio: int
) -> None:
    counts = rank_counts(profile, num_classes, tail * ratio, ratio)
    assert counts[0] == tail * ratio
    assert counts[-1] == tail  # no 9.999999 floored to 9
    assert counts == sorted(counts, reverse=True)


def _labels(per_class: int = 200) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(10), per_class))


def test_cut_keeps_the_counts_and_defaults_to_the_rarest_class() -> None:
    labels = np.concatenate([_labels(), np.full(500, 3)])
    kept = cut(labels, TEN, LongTail(profile="exp", imbalance_ratio=10))
    assert np.bincount(labels[kept]).tolist() == rank_counts("exp", 10, 200, 10)
    assert np.array_equal(kept, np.unique(kept))


def test_cut_is_a_function_of_the_seed_and_nested_in_the_ratio() -> None:
    labels = _labels()
    kept = cut(labels, TEN, LongTail(profile="exp", imbalance_ratio=10, seed=1))
    assert np.array_equal(kept, cut(labels, TEN, LongTail(profile="exp", imbalance_ratio=10, seed=1)))
    assert not np.array_equal(kept, cut(labels, TEN, LongTail(profile="exp", imbalance_ratio=10, seed=2)))
    assert set(cut(labels, TEN, LongTail(profile="exp", imbalance_ratio=50, seed=1))) < set(kept)


def test_random_order_permutes_the_classes() -> None:
    labels = _labels()
    kept = cut(labels, TEN, LongTail(profile="exp", imbalance_ratio=10, order="random", seed=1))
    counts = np.bincount(labels[kept]).tolist()
    assert counts != sorted(counts, reverse=True)
    assert sorted(counts, reverse=True) == rank_counts("exp", 10, 200, 10)


def test_more_than_a_class_has_names_the_class_and_the_counts() -> None:
    labels = np.concatenate([np.repeat(np.arange(9), 50), np.full(3, 9)])
    with pytest.raises(DataError, match="'9' has 3 training images, but the cut keeps 5"):
        cut(labels, TEN, LongTail(profile="exp", max_per_class=50, imbalance_ratio=10))


def test_a_class_that_would_vanish_is_an_error() -> None:
    with pytest.raises(DataError, match="would keep no image; lower imbalance_ratio"):
        cut(_labels(), TEN, LongTail(profile="exp", imbalance_ratio=201))


def test_indices_keep_exactly_those() -> None:
    labels = np.array([0, 1, 0, 1, 1])
    assert cut(labels, ["a", "b"], LongTail(profile="indices", indices=(4, 0))).tolist() == [0, 4]
    for indices, message in [
        ((0, 0, 1), "listed twice"),
        ((0, 1, 5), "index 5 is outside"),
        ((0, 2), "no image of class 'b'"),
    ]:
        with pytest.raises(DataError, match=message):
            cut(labels, ["a", "b"], LongTail(profile="indices", indices=indices))
    with pytest.raises(ValueError, match="read_indices"):
        cut(labels, ["a", "b"], LongTail(profile="indices", upload_id="x"))


def test_indices_are_read_from_npy_and_text(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([3, 1, 2], dtype=np.int32))
    (tmp_path / "a.txt").write_text("3\n1\n2\n")
    assert read_indices(tmp_path / "a.npy") == read_indices(tmp_path / "a.txt") == (3, 1, 2)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    np.save(tmp_path / "floats.npy", np.array([1.0]))
    (tmp_path / "words.txt").write_text("one two")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "negative.txt").write_text("1 -1")
    (tmp_path / "vast.txt").write_text("9" * 400)
    for name, message in [
        ("objects.npy", "Python objects"),
        ("floats.npy", "integers"),
        ("words.txt", "whole number"),
        ("bytes.txt", "whole number"),
        ("negative.txt", "-1 is not an index"),
        ("vast.txt", "999 is not an index"),
    ]:
        with pytest.raises(DataError, match=message):
            read_indices(tmp_path / name)


@pytest.mark.parametrize(
    "fields",
    [
        {"profile": "cubic"},
        {"profile": "exp", "imbalance_ratio": 0.5},
        {"profile": "exp", "imbalance_ratio": float("nan")},
        {"profile": "exp", "max_per_class": 0},
        {"profile": "exp", "indices": [1]},
        {"profile": "indices"},
        {"profile": "indices", "indices": [1], "upload_id": "x"},
        {"profile": "indices", "indices": [-1]},
        {"profile": "exp", "ratio": 10},
    ],
)
def test_a_request_that_makes_no_sense_is_refused(fields: dict) -> None:
    with pytest.raises(ValidationError):
        LongTail.model_validate(fields)


def test_only_the_profile_is_required() -> None:
    long_tail = LongTail(profile="exp")
    assert (long_tail.imbalance_ratio, long_tail.max_per_class, long_tail.order, long_tail.seed) == (
        100,
        None,
        "index",
        0,
    )
