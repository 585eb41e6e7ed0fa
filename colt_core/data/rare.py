"""Warnings about classes that have too few images to be measured, each by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from colt_core.data.warnings import DataWarning

Int64 = NDArray[np.int64]

FEW_PROBE_IMAGES = 5  # with fewer, what a probe learns of a class depends on which images they are
FEW_TEST_IMAGES = 10  # with fewer, an accuracy moves in steps of more than 10 points
_MOST_NAMES = 100  # in a sentence; a data set may have thousands of such classes


def registration_warnings(
    class_names: Sequence[str], labels: Int64, parts: Mapping[str, Int64]
) -> tuple[DataWarning, ...]:
    """What to tell when a data set is registered.

    Args:
        class_names: C names.
        labels: (N,) of the whole source.
        parts: positions by part: `train`, `probe`, `test`.
    """
    train, probe, test = (
        np.bincount(labels[parts[name]], minlength=len(class_names)) for name in ("train", "probe", "test")
    )
    few = f"fewer than {FEW_PROBE_IMAGES} probe images, so probes learn little about them"
    return _warnings(
        class_names,
        ("single_image_classes", _SINGLE, lambda c: bool(train[c] == 1 and probe[c] == test[c] == 0)),
        ("few_probe_images", few, lambda c: bool(0 < probe[c] < FEW_PROBE_IMAGES)),
    )


def evaluation_warnings(
    class_names: Sequence[str], fitted: Sequence[int], test: Sequence[int], shots: int | None = None
) -> tuple[DataWarning, ...]:
    """What to tell beside the accuracies of a probe.

    Args:
        class_names: C names.
        fitted: C numbers of images that the probe was fitted on.
        test: C numbers of test images.
        shots: how many images of each class were asked for. Fewer than FEW_PROBE_IMAGES are worth
            a warning only if they are also fewer than this.
    """
    enough = FEW_PROBE_IMAGES if shots is None else min(shots, FEW_PROBE_IMAGES)
    few = f"fewer than {enough} of the images that the probe was fitted on"
    steps = f"fewer than {FEW_TEST_IMAGES} test images, so their accuracies are coarse"
    return _warnings(
        class_names,
        ("classes_left_out", _LEFT_OUT, lambda c: fitted[c] == test[c] == 0),
        ("no_probe_images", _NEVER_PREDICTED, lambda c: fitted[c] == 0 < test[c]),
        ("few_probe_images", few, lambda c: 0 < fitted[c] < enough),
        ("no_test_images", _UNTESTED, lambda c: test[c] == 0 < fitted[c]),
        ("few_test_images", steps, lambda c: 0 < test[c] < FEW_TEST_IMAGES),
    )


_SINGLE = "a single image, for training alone. Without a test image there is no accuracy: add images to be measured"
_LEFT_OUT = "neither probe nor test images: no accuracy, and no part in any mean"
_NEVER_PREDICTED = "test images, but no probe image, so every prediction for these is wrong"
_UNTESTED = "no test image: no accuracy, and no part in any mean"


def _warnings(class_names: Sequence[str], *kinds: tuple[str, str, Callable[[int], bool]]) -> tuple[DataWarning, ...]:
    """A warning for each kind (code, what they have, which classes) that concerns a class."""
    found = []
    for code, what, concerns in kinds:
        if names := [name for c, name in enumerate(class_names) if concerns(c)]:
            found.append(DataWarning(code, f"{_named(names)} {what}.", len(names), tuple(names)))
    return tuple(found)


def _named(names: Sequence[str]) -> str:
    quoted = ", ".join(repr(name) for name in names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"Class {quoted} has" if len(names) == 1 else f"{len(names)} classes ({quoted}{more}) have"
