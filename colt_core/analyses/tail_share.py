"""Tests whether high tailness finds the true tail (COLT, Bai et al. 2023).

It computes phi_tail and phi_head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from colt_core.analyses.analysed_run import AnalysedRun
from colt_core.analyses.kinds import TailShare, TailShareConfig
from colt_core.events import Float32, Int64


def analyze(settings: TailShareConfig, run: AnalysedRun) -> TailShare:
    """The analysis `tail_share`."""
    return TailShare(
        gamma=list(settings.gammas),
        phi_tail=tail_share(run.tailness, run.labels, run.groups.few, settings.gammas),
        phi_head=tail_share(run.tailness, run.labels, run.groups.many, settings.gammas),
    )


def tail_share(
    tailness_N: Float32, labels_N: Int64, classes: Sequence[int], gammas: Sequence[float]
) -> list[float | None]:
    """phi(gamma): share of `classes` among the gamma % of images with highest tailness.

    It is divided by the share of these classes among all images. For the Few classes it is
    phi_tail, which is above 1 for a good tailness. For the Many classes it is phi_head, which is
    then below 1. 1 is chance level, and always the value at gamma = 100.

    Args:
        tailness_N: tailness of every training image.
        labels_N: their classes.
        classes: the classes whose share is computed.
        gammas: percentages in (0, 100]. ceil(gamma % * N) images are taken, the first if several
            have equal tailness.

    Returns:
        One value for each gamma; None if no image is of `classes`.

    Raises:
        ValueError: if there is no image, the numbers of labels and scores differ, or a gamma is out
            of range.
    """
    if tailness_N.shape != labels_N.shape or tailness_N.ndim != 1 or tailness_N.size == 0:
        raise ValueError(f"one score for each label is needed, got {tailness_N.shape} for {labels_N.shape}")
    for gamma in gammas:
        if not 0 < gamma <= 100:
            raise ValueError(f"gamma must be a percentage in (0, 100], not {gamma}")
    is_member_N = np.isin(labels_N, list(classes))
    overall = is_member_N.mean()
    if overall == 0:
        return [None] * len(gammas)
    found_N = np.cumsum(is_member_N[np.argsort(-tailness_N, kind="stable")])
    # Exact decimals: in floats, 7 % of 100 may be slightly above 7, with a ceiling of 8.
    taken = [math.ceil(Fraction(str(gamma)) * len(labels_N) / 100) for gamma in gammas]
    return [float(found_N[count - 1] / count / overall) for count in taken]
