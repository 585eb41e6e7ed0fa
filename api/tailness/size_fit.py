"""Whether rare classes are the tail-like ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from api.tailness.schemas import SizeFit

_TWO_SIDED_95 = NormalDist().inv_cdf(0.975)
_MOST_R = 1 - 1e-9  # beyond it all classes lie on one line, and z has no end


def size_fit(counts: Sequence[int], mean_tailness: Sequence[float | None]) -> SizeFit:
    """Pearson's r of log10(count) and mean tailness, with Fisher's 95 % interval, and the line.

    The interval is tanh(atanh(r) +- 1.96 / sqrt(C - 3)) for C classes (Fisher 1921).

    Args:
        counts: training images by class.
        mean_tailness: by class; None is left out, as a class without images is.
    """
    measured = [
        (math.log10(count), tailness)
        for count, tailness in zip(counts, mean_tailness, strict=True)
        if count > 0 and tailness is not None and math.isfinite(tailness)
    ]
    nothing = SizeFit(classes=len(measured), r=None, interval=None, slope=None, intercept=None)
    if len(measured) < 3:
        return nothing
    size, tailness = np.array(measured).T
    # Scores have the rounding of float32.
    if np.ptp(size) == 0 or np.ptp(tailness) <= np.finfo(np.float32).eps * np.abs(tailness).max():
        return nothing
    slope, intercept = np.polyfit(size, tailness, deg=1)
    r = float(np.corrcoef(size, tailness)[0, 1])
    interval = None
    if len(measured) > 3 and abs(r) < _MOST_R:
        reach = _TWO_SIDED_95 / math.sqrt(len(measured) - 3)
        interval = [math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)]
    return SizeFit(classes=len(measured), r=r, interval=interval, slope=float(slope), intercept=float(intercept))
