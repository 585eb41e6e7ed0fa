"""Many, Medium, Few, by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colt_core.data import class_groups, rank_counts
from colt_core.data.groups import GroupThresholds


def test_cifar10_lt() -> None:
    groups = class_groups(rank_counts("exp", 10, 4500, 100))
    assert groups.many == (0, 1, 2, 3)
    assert groups.medium == (4, 5, 6)
    assert groups.few == (7, 8, 9)


def test_cifar100_lt() -> None:
    groups = class_groups(rank_counts("exp", 100, 450, 100))
    assert groups.many == tuple(range(34))
    assert groups.medium == tuple(range(34, 67))
    assert groups.few == tuple(range(67, 100))


def test_the_remainder_goes_to_many_and_order_does_not_matter() -> None:
    groups = class_groups([5, 50, 10, 40, 30, 20, 1, 2])
    assert groups.many == (1, 3, 4, 5)
    assert groups.medium == (0, 2)
    assert groups.few == (6, 7)


def test_equal_counts_keep_the_order_of_the_indices() -> None:
    groups = class_groups([7] * 6)
    assert (groups.many, groups.medium, groups.few) == ((0, 1), (2, 3), (4, 5))


@pytest.mark.parametrize(("counts", "expected"), [([3], ((0,), (), ())), ([3, 9], ((1,), (), (0,)))])
def test_fewer_than_three_classes(counts: list[int], expected: tuple) -> None:
    groups = class_groups(counts)
    assert (groups.many, groups.medium, groups.few) == expected


def test_thresholds_of_imagenet_lt() -> None:
    groups = class_groups([101, 100, 20, 19, 1280], thresholds=GroupThresholds(low=20, high=100))
    assert (groups.many, groups.medium, groups.few) == ((0, 4), (1, 2), (3,))
    assert class_groups([500, 600], thresholds=GroupThresholds(low=20, high=100)).few == ()


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40))
def test_every_class_is_in_one_group_and_groups_are_ordered(counts: list[int]) -> None:
    groups = class_groups(counts)
    assert sorted(groups.many + groups.medium + groups.few) == list(range(len(counts)))
    ordered = [[counts[c] for c in classes] for _, classes in groups.items() if classes]
    assert all(min(above) >= max(below) for above, below in pairwise(ordered))


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="one number for each class"):
        class_groups([])
    with pytest.raises(ValueError, match="low 100 must not be above high 20"):
        class_groups([1, 2], thresholds=GroupThresholds(low=100, high=20))
