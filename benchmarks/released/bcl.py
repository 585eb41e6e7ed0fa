"""BCL (Zhou et al., ICML 2022): memorisation strengths over epochs, levels and RandAugment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.released.check import SCORE_TOLERANCE, Arrays, Check, close
from colt_core.augment.rand_augment import OPERATIONS, RandAugmentParameters, operation_level, rand_augment_
from colt_core.averages import update_averages_
from colt_core.frameworks.bcl import memorization_strength

# PIL cuts results to bytes where ours are rounded, or not at all.
_CUT = {"AutoContrast": 2, "Contrast": 2, "Color": 2, "Brightness": 2, "Sharpness": 2}  # gray levels


def checks(arrays: Arrays) -> Iterator[Check]:
    """Check the averages and strengths of both variants, the levels, and each operation."""
    for variant in ("I", "D"):
        losses_EN = torch.from_numpy(arrays[f"{variant}_losses"])
        average_N, seen_N = torch.zeros(losses_EN.shape[1]), torch.zeros(losses_EN.shape[1], dtype=torch.bool)
        averages, strengths = [], []
        for loss_N in losses_EN:
            update_averages_(average_N, seen_N, torch.arange(len(loss_N)), loss_N, float(arrays["beta"]))
            averages.append(average_N.clone())
            strengths.append(memorization_strength(average_N))
        for quantity, ours in (("momentum_loss", averages), ("strength", strengths)):
            expected = arrays[f"{variant}_{quantity}"]
            yield close(f"{variant}_{quantity}", torch.stack(ours).numpy(), expected, SCORE_TOLERANCE)
    strength, uniform = (torch.from_numpy(arrays[name]) for name in ("levels_strength", "levels_u"))
    for operations in (1, 2):
        level = operation_level(operations, strength, uniform)
        yield close(f"levels_n{operations}", level.numpy(), arrays[f"levels_n{operations}"], SCORE_TOLERANCE)
    yield from _operations(arrays)


def _operations(arrays: Arrays) -> Iterator[Check]:
    images = torch.from_numpy(arrays["op_images"][arrays["op_image"]]).permute(0, 3, 1, 2) / 255
    operation = torch.from_numpy(arrays["op_index"].astype(np.int64))
    center = torch.from_numpy(np.stack([arrays["op_center_x"], arrays["op_center_y"]], axis=1))
    sign = torch.from_numpy(arrays["op_sign"].astype(np.float32))
    level = torch.from_numpy(arrays["op_level"])
    rand_augment_(images, RandAugmentParameters(operation[:, None], level, sign[:, None], center[:, None]))
    levels = (images * 255).round().permute(0, 2, 3, 1).numpy()
    apart = np.abs(levels - arrays["op_result"].astype(np.float32)).max(axis=(1, 2, 3))
    for index, name in enumerate(OPERATIONS):
        yield Check(f"{name} (gray levels)", float(apart[arrays["op_index"] == index].max()), _CUT.get(name, 0))
