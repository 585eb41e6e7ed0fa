"""Registered backbones on disk: float32 weights as safetensors, under torchvision's names."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from colt_core.architectures import Architecture
from colt_core.models import Backbone
from colt_core.pixels import MEAN, STD, Channels
from colt_core.seeding import stream_seed


class StandardizedBackbone(Backbone):
    """A backbone that was trained on pixels standardised by another mean and deviation.

    It takes images that are standardised by ours, as every backbone here, and turns them into
    what it knows. With our mean and deviation it computes the same numbers as a plain backbone.
    """

    def __init__(self, architecture: Architecture, mean: Channels = MEAN, std: Channels = STD) -> None:
        super().__init__(*architecture)
        self.is_ours = (tuple(mean), tuple(std)) == (MEAN, STD)
        ours, theirs = (torch.tensor(values).view(2, 3, 1, 1) for values in ((MEAN, STD), (tuple(mean), tuple(std))))
        self.scale = nn.Buffer(ours[1] / theirs[1], persistent=False)
        self.shift = nn.Buffer((ours[0] - theirs[0]) / theirs[1], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """As :meth:`Backbone.forward`, of images that are standardised by our values."""
        return super().forward(images if self.is_ours else images * self.scale + self.shift)


def random_backbone(architecture: Architecture, seed: int) -> Backbone:
    """The backbone that a run with this seed begins with. torch's random state is not changed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "weights"))
        return Backbone(*architecture)


def save_weights(backbone: Backbone, path: Path) -> None:
    """Write the weights, under torchvision's names.

    Raises:
        OSError: if they cannot be written.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in backbone.state_dict().items()}
    metadata = {name: str(value) for name, value in backbone.architecture._asdict().items()}
    save_file(weights, path, {"format": "pt", **metadata})


def load_weights(
    path: Path, architecture: Architecture, mean: Channels = MEAN, std: Channels = STD
) -> StandardizedBackbone:
    """The frozen backbone in eval mode on the CPU.

    Args:
        path: what `save_weights` wrote.
        mean, std: of the pixels that it was trained on.
    """
    backbone = StandardizedBackbone(architecture, mean, std)
    backbone.load_state_dict(load_file(path))
    backbone.requires_grad_(False).eval()
    return backbone
