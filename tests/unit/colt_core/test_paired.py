"""Paired comparisons, beside numbers worked by hand."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from colt_core.paired import PairedComparison, Summary, Verdict, paired_comparison, summary


def compared(*differences: float) -> PairedComparison[int]:
    """Of a setting that differs by these from a baseline of 0.5 in every pair."""
    return paired_comparison(
        {pair: 0.5 + difference for pair, difference in enumerate(differences)},
        dict.fromkeys(range(len(differences)), 0.5),
    )


def test_three_pairs_by_hand() -> None:
    # Differences 0.02, 0.04, 0.06: mean 0.04, deviations -0.02, 0, 0.02, so sd = sqrt(0.0008 / 2) = 0.02.
    # The table's t(0.975, 2) is 4.302653, so the half width is 4.302653 * 0.02 / sqrt(3) = 0.0496828.
    found = paired_comparison(
        {("a", 0): 0.52, ("a", 1): 0.64, ("b", 0): 0.76}, {("a", 0): 0.50, ("a", 1): 0.60, ("b", 0): 0.70}
    )
    assert found.n == 3
    assert found.differences == pytest.approx({("a", 0): 0.02, ("a", 1): 0.04, ("b", 0): 0.06})
    assert (found.mean, found.sd) == pytest.approx((0.04, 0.02))
    assert found.interval == pytest.approx((-0.0096828, 0.0896828), abs=1e-6)
    # All three have one sign. A bootstrap would call this higher: its interval is their range.
    assert found.verdict == "no clear difference"
    assert (found.no_interval, found.missing, found.missing_baseline) == (None, (), ())


@pytest.mark.parametrize(
    ("differences", "interval", "verdict"),
    [
        # Mean 0.04, sd 0.002, half width 4.302653 * 0.002 / sqrt(3) = 0.00496828.
        ((0.038, 0.040, 0.042), (0.03503172, 0.04496828), "higher"),
        ((-0.038, -0.040, -0.042), (-0.04496828, -0.03503172), "lower"),
        # Mean 0.01, sd 0.01 * sqrt(2), t(0.975, 1) = 12.706205: half width 0.12706205.
        ((0.0, 0.02), (-0.11706205, 0.13706205), "too few pairs"),
        # Mean 0.03, deviations 0.03, 0.01, 0.01, 0.03: sd = sqrt(0.002 / 3) = 0.02581989.
        # t(0.975, 3) = 3.182446, so the half width is 3.182446 * 0.02581989 / 2 = 0.04108521.
        ((0.0, 0.02, 0.04, 0.06), (-0.01108521, 0.07108521), "no clear difference"),
    ],
)
def test_intervals_and_verdicts_by_hand(
    differences: tuple[float, ...], interval: tuple[float, float], verdict: Verdict
) -> None:
    found = compared(*differences)
    assert found.interval == pytest.approx(interval, abs=1e-7)
    assert found.verdict == verdict


def test_a_width_of_its_own() -> None:
    # t(0.95, 2) = 2.919986: half width 2.919986 * 0.02 / sqrt(3) = 0.03371710.
    found = paired_comparison({0: 0.52, 1: 0.54, 2: 0.56}, dict.fromkeys(range(3), 0.5), confidence=0.9)
    assert found.interval == pytest.approx((0.0062829, 0.0737171), abs=1e-6)
    assert found.verdict == "higher"


def test_one_run_each_has_no_interval_however_large_the_lead() -> None:
    found = compared(0.3)
    assert (found.n, found.sd, found.interval, found.verdict) == (1, None, None, "too few pairs")
    assert found.mean == pytest.approx(0.3)
    assert found.no_interval == "one run each: no interval"


def test_equal_differences_have_no_interval_and_no_verdict() -> None:
    # 0.3 - 0.2 and 0.8 - 0.7 are not the same number: only rounding tells them apart.
    found = paired_comparison({0: 0.3, 1: 0.8, 2: 0.6}, {0: 0.2, 1: 0.7, 2: 0.5})
    assert len(set(found.differences.values())) > 1
    assert found.mean == pytest.approx(0.1)
    assert (found.interval, found.verdict) == (None, None)
    assert found.no_interval == "all 3 pairs differ by the equal amount: no interval"


def test_runs_that_are_all_equal_do_not_differ() -> None:
    found = compared(0.0, 0.0, 0.0)
    assert (found.mean, found.sd, found.interval, found.verdict) == (0.0, 0.0, None, "no clear difference")
    assert found.no_interval == "all 3 pairs are equal: no interval"
    assert compared(0.0, 0.0).verdict == "too few pairs"


def test_what_is_missing_is_in_no_pair_and_named() -> None:
    found = paired_comparison(
        {("a", 0): 0.5, ("a", 1): None, ("a", 3): 0.7, ("a", 4): 0.9},
        {("a", 0): 0.4, ("a", 1): 0.5, ("a", 2): 0.5, ("a", 4): None},
    )
    assert list(found.differences) == [("a", 0)]
    assert found.missing == (("a", 1), ("a", 2))
    assert found.missing_baseline == (("a", 3), ("a", 4))
    assert found.verdict == "too few pairs"


def test_nothing_in_common() -> None:
    found = paired_comparison({1: 0.5}, {2: 0.5})
    assert (found.n, found.mean, found.sd, found.interval) == (0, None, None, None)
    assert (found.no_interval, found.verdict) == ("no pair: no interval", "too few pairs")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match=r"\('a', 1\) is (nan|inf)"):
        paired_comparison({("a", 1): 0.5}, {("a", 1): value})
    with pytest.raises(ValueError, match=r"\('a', 1\) is (nan|inf)"):
        summary({("a", 1): value})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Summary(0, None, None)),
        ([None], Summary(0, None, None)),
        ([0.25], Summary(1, 0.25, None)),
        # Mean 0.5, deviations -0.25, 0, 0.25: sd = sqrt(0.125 / 2) = 0.25.
        ([0.25, None, 0.5, 0.75], Summary(3, 0.5, 0.25)),
    ],
)
def test_a_summary_counts_what_is_there(values: list[float | None], expected: Summary) -> None:
    assert summary(dict(enumerate(values))) == expected


def test_importing_it_costs_neither_torch_nor_scipy() -> None:
    code = "import colt_core.paired, sys; print(sorted({'torch', 'scipy', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
