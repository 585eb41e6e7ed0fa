"""The stages of the backbones, for the networks and for estimates of their size. No torch here."""

from __future__ import annotations

from typing import Literal, NamedTuple

Block = Literal["basic", "bottleneck"]
Stem = Literal["cifar", "cifar-stride2", "imagenet"]


class Architecture(NamedTuple):
    """The settings that two backbones must share for the weights of one to fit the other."""

    backbone: str
    width: int
    stem: Stem


# The kind of block, and how many blocks each of the four stages has.
STAGES: dict[str, tuple[Block, tuple[int, int, int, int]]] = {
    "resnet10": ("basic", (1, 1, 1, 1)),
    "resnet18": ("basic", (2, 2, 2, 2)),
    "resnet34": ("basic", (3, 4, 6, 3)),
    "resnet50": ("bottleneck", (3, 4, 6, 3)),
}
EXPANSION: dict[Block, int] = {"basic": 1, "bottleneck": 4}
