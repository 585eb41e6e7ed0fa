"""Did a setting help? Its results beside a baseline's, paired by what both runs share.

Runs on the same data with the same seed share what neither setting decides: the cut, the class
order, the initial weights. So settings are compared within each pair, and the differences of the
pairs are what varies by chance.

The interval is Student's. A bootstrap interval of three differences is merely their range, and
leaves out 0 whenever all have one sign.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

K = TypeVar("K", bound=Hashable)
Interval = tuple[float, float]
Verdict = Literal["higher", "lower", "no clear difference", "too few pairs"]

CONFIDENCE = 0.95
FEWEST_PAIRS = 3  # for a verdict
_ROUNDING = 1e-12  # of the values: differences that differ by less are equal


@dataclass(frozen=True, slots=True)
class Summary:
    """The runs of one setting. `sd` is that of a sample (n - 1); None below two values."""

    n: int
    mean: float | None
    sd: float | None


@dataclass(frozen=True, slots=True)
class PairedComparison(Generic[K]):
    """A setting less the baseline, over the pairs that both have.

    Attributes:
        differences: by key, in the order of the setting's values.
        mean, sd: of the differences. None without one, or below two.
        interval: 95 % t interval of the mean difference; None where there is none.
        no_interval: why there is no interval; None if there is one.
        verdict: of the setting. None if all differences are equal, but not 0: chance cannot be
            told from them.
        missing: keys without a value of the setting.
        missing_baseline: keys without a value of the baseline.
    """

    differences: Mapping[K, float]
    mean: float | None
    sd: float | None
    interval: Interval | None
    no_interval: str | None
    verdict: Verdict | None
    missing: tuple[K, ...]
    missing_baseline: tuple[K, ...]

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.differences)


def summary(values: Mapping[K, float | None]) -> Summary:
    """Mean and standard deviation of the values that are there.

    Args:
        values: by key; None where a run has no value.

    Raises:
        ValueError: a value is not finite. The message names its key.
    """
    found = list(_present(values).values())
    if not found:
        return Summary(0, None, None)
    return Summary(len(found), statistics.fmean(found), statistics.stdev(found) if len(found) > 1 else None)


def paired_comparison(
    values: Mapping[K, float | None], baseline: Mapping[K, float | None], *, confidence: float = CONFIDENCE
) -> PairedComparison[K]:
    """Compare a setting with a baseline.

    A key that either lacks is in no pair, and named in the result.

    Args:
        values: of the setting, by what pairs the runs, such as (data set, seed). None: no value.
        baseline: of the baseline.
        confidence: of the interval, between 0 and 1.

    Raises:
        ValueError: a value is not finite. The message names its key.
    """
    ours, theirs = _present(values), _present(baseline)
    keys = dict.fromkeys([*values, *baseline])
    differences = {key: ours[key] - theirs[key] for key in keys if key in ours and key in theirs}
    scale = max((abs(side[key]) for key in differences for side in (ours, theirs)), default=0.0)
    found = list(differences.values())
    equal = bool(found) and max(found) - min(found) <= _ROUNDING * scale
    interval = None if len(found) < 2 or equal else _t_interval(found, confidence)
    return PairedComparison(
        differences=differences,
        mean=statistics.fmean(found) if found else None,
        sd=statistics.stdev(found) if len(found) > 1 else None,
        interval=interval,
        no_interval=None if interval else _why_none(len(found), scale, found),
        verdict=_verdict(found, interval, _ROUNDING * scale),
        missing=tuple(key for key in keys if key not in ours),
        missing_baseline=tuple(key for key in keys if key not in theirs),
    )


def _present(values: Mapping[K, float | None]) -> dict[K, float]:
    for key, value in values.items():
        if value is not None and not math.isfinite(value):
            raise ValueError(f"the value of {key} is {value}; one that cannot be had is None")
    return {key: float(value) for key, value in values.items() if value is not None}


def _t_interval(differences: list[float], confidence: float) -> Interval:
    from scipy.special import stdtrit  # here, as it takes a third of a second, and few who import this need it

    n = len(differences)
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * statistics.stdev(differences) / math.sqrt(n)
    mean = statistics.fmean(differences)
    return mean - half, mean + half


def _why_none(n: int, scale: float, differences: list[float]) -> str:
    if n == 0:
        return "no pair: no interval"
    if n == 1:
        return "one run each: no interval"
    nothing = all(abs(difference) <= _ROUNDING * scale for difference in differences)
    return f"all {n} pairs {'are' if nothing else 'differ by the'} equal{'' if nothing else ' amount'}: no interval"


def _verdict(differences: list[float], interval: Interval | None, nothing: float) -> Verdict | None:
    if len(differences) < FEWEST_PAIRS:
        return "too few pairs"
    if interval is None:
        return "no clear difference" if all(abs(value) <= nothing for value in differences) else None
    low, high = interval
    if low > 0:
        return "higher"
    return "lower" if high < 0 else "no clear difference"
