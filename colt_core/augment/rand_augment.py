"""RandAugment with a strength for each sample: BCL's augmentation (Zhou et al., ICML 2022)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from colt_core.augment import geometry, operations
from colt_core.transfer import to_device

_LEVELS = 30  # level 30 is the upper end of an operation's range

# Value at level 30; level 0 is 0. The sign is random.
_GEOMETRIC: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "ShearX": (geometry.shear_x, 0.6),
    "ShearY": (geometry.shear_y, 0.6),
    "TranslateX": (geometry.translate_x, 0.66),
    "TranslateY": (geometry.translate_y, 0.66),
    "Rotate": (geometry.rotate, 60.0),
}
_WITHOUT_VALUE: dict[str, Callable[[Tensor], Tensor]] = {
    "AutoContrast": operations.auto_contrast,
    "Invert": operations.invert,
    "Equalize": operations.equalize,
}
# Values at level 0 and level 30.
_WITH_VALUE: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], float, float]] = {
    "Solarize": (operations.solarize, 0, 110),
    "Posterize": (operations.posterize, 4, 8),
    "Contrast": (operations.contrast, 0.1, 1.9),
    "Color": (operations.color, 0.1, 1.9),
    "Brightness": (operations.brightness, 0.1, 1.9),
    "Sharpness": (operations.sharpness, 0.1, 1.9),
}
_CUTOUT_SIDE = 0.4  # times the image's side, at level 30
OPERATIONS = (*_GEOMETRIC, *_WITHOUT_VALUE, *_WITH_VALUE, "Cutout")


@dataclass(frozen=True, slots=True)
class RandAugmentParameters:
    """The parameters of `draw_rand_augment` for B views of n operations."""

    operation: Tensor  # (B, n) int64, index into OPERATIONS; -1: none
    level: Tensor  # (B,) in 0..30
    sign: Tensor  # (B, n) 1 or -1, for the geometric operations
    center: Tensor  # (B, n, 2) x and y of Cutout's square in 0..1 of the side

    def __getitem__(self, rows: Tensor | slice) -> RandAugmentParameters:
        return RandAugmentParameters(self.operation[rows], self.level[rows], self.sign[rows], self.center[rows])


def draw_rand_augment(
    num_operations: int, strength_B: Tensor, generator: torch.Generator, views: int = 1
) -> RandAugmentParameters:
    """Draw operations with replacement, each applied with probability `strength`.

    The level of one operation is 10 + 20 * strength. That of two is 5 + 25 * strength * u, with u ~
    U(0, 1) drawn once for each sample. So a sample's views share the level, but have their own
    operations (released code).

    Args:
        num_operations: n, 1 or 2.
        strength_B: (B,) float32 on the CPU, M of BCL in 0..1.
        views: how many views of each sample are stacked in B.
    """
    shape = (len(strength_B), num_operations)
    operation = torch.randint(len(OPERATIONS), shape, generator=generator)
    applied = torch.rand(shape, generator=generator) < strength_B[:, None]
    sign = torch.where(torch.rand(shape, generator=generator) < 0.5, -1.0, 1.0)
    center = torch.rand(*shape, 2, generator=generator)
    uniform_B = torch.ones_like(strength_B)
    if num_operations > 1:
        uniform_B = torch.rand(len(strength_B) // views, generator=generator).repeat(views)
    level_B = operation_level(num_operations, strength_B, uniform_B)
    return RandAugmentParameters(torch.where(applied, operation, -1), level_B, sign, center)


def operation_level(num_operations: int, strength_B: Tensor, uniform_B: Tensor) -> Tensor:
    """Levels in 0..30: 10 + 20 * strength for one operation, 5 + 25 * strength * uniform for 2."""
    return 10 + 20 * strength_B if num_operations == 1 else 5 + 25 * strength_B * uniform_B


def rand_augment_(images_B3SS: Tensor, parameters: RandAugmentParameters) -> None:
    """Apply the parameters in place to square float32 images (B, 3, S, S) in 0..1."""
    for position in range(parameters.operation.shape[1]):
        for index, name in enumerate(OPERATIONS):
            chosen = (parameters.operation[:, position] == index).nonzero().squeeze(1)
            if len(chosen) > 0:
                here = to_device(chosen, images_B3SS.device)
                images_B3SS[here] = _operate(name, images_B3SS[here], parameters[chosen], position)


def _operate(name: str, images_n3SS: Tensor, parameters: RandAugmentParameters, position: int) -> Tensor:
    device, share_n = images_n3SS.device, parameters.level / _LEVELS
    if name in _WITHOUT_VALUE:
        return _WITHOUT_VALUE[name](images_n3SS)
    if name in _WITH_VALUE:
        apply, low, high = _WITH_VALUE[name]
        return apply(images_n3SS, to_device(low + (high - low) * share_n, device))
    if name in _GEOMETRIC:
        maps, most = _GEOMETRIC[name]
        return geometry.warp(images_n3SS, maps(share_n * most * parameters.sign[:, position]))
    center_2n = parameters.center[:, position].T
    return operations.cutout(images_n3SS, to_device(_CUTOUT_SIDE * share_n, device), to_device(center_2n, device))
