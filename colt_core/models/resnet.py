"""ResNet backbones with torchvision's names, and a choice of stem and width.

They do not use torchvision, because its import would delay each start of a job by a second.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from colt_core.architectures import EXPANSION, STAGES, Architecture, Block, Stem
from colt_core.models.convolution import convolution


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    expansion: ClassVar[int] = EXPANSION["basic"]

    def __init__(self, in_channels: int, channels: int, stride: int, downsample: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = convolution(3, in_channels, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = convolution(3, channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        activated: Tensor = self.relu(out)
        return activated


class Bottleneck(nn.Module):
    """A strided 3x3 convolution between two 1x1 convolutions, with a shortcut."""

    expansion: ClassVar[int] = EXPANSION["bottleneck"]

    def __init__(self, in_channels: int, channels: int, stride: int, downsample: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = convolution(1, in_channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = convolution(3, channels, channels, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = convolution(1, channels, channels * self.expansion)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        activated: Tensor = self.relu(out)
        return activated


_BLOCKS: dict[Block, type[BasicBlock | Bottleneck]] = {"basic": BasicBlock, "bottleneck": Bottleneck}


class Backbone(nn.Module):
    """A ResNet up to the average pool: images (B, 3, H, W) -> features (B, `num_features`).

    Its state dict has torchvision's names. With width 64 and the "imagenet" stem it loads into
    `torchvision.models.resnet18(...)` with `strict=False`, since only `fc` is missing.

    Args:
        name: "resnet10", "resnet18", "resnet34" or "resnet50".
        width: channels of the first stage; each further stage doubles them.
        stem: "cifar" is 3x3 with stride 1, "cifar-stride2" 3x3 with stride 2, both for small
            images. "imagenet" is 7x7 with stride 2 and max-pool.
    """

    def __init__(self, name: str, width: int = 64, stem: Stem = "cifar") -> None:
        if name not in STAGES:
            raise ValueError(f"unknown backbone {name!r}: choose one of {', '.join(STAGES)}")
        super().__init__()
        self.architecture = Architecture(name, width, stem)
        kind, blocks = STAGES[name]
        block = _BLOCKS[kind]
        if stem == "imagenet":
            self.conv1 = convolution(7, 3, width, stride=2)
            self.maxpool: nn.Module = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        else:
            self.conv1 = convolution(3, 3, width, stride=2 if stem == "cifar-stride2" else 1)
            self.maxpool = nn.Identity()
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(block, width, width, blocks[0], stride=1)
        self.layer2 = _stage(block, width * block.expansion, 2 * width, blocks[1], stride=2)
        self.layer3 = _stage(block, 2 * width * block.expansion, 4 * width, blocks[2], stride=2)
        self.layer4 = _stage(block, 4 * width * block.expansion, 8 * width, blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.num_features: int = 8 * width * block.expansion

        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Average-pooled features, (B, `num_features`)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        features: Tensor = self.avgpool(x).flatten(1)
        return features


def _stage(
    block: type[BasicBlock | Bottleneck], in_channels: int, channels: int, count: int, stride: int
) -> nn.Sequential:
    """`count` blocks. If the first changes the shape, its shortcut is a 1x1 convolution."""
    out_channels = channels * block.expansion
    downsample = None
    if stride != 1 or in_channels != out_channels:
        downsample = nn.Sequential(convolution(1, in_channels, out_channels, stride), nn.BatchNorm2d(out_channels))
    first = block(in_channels, channels, stride, downsample)
    return nn.Sequential(first, *(block(out_channels, channels, 1, None) for _ in range(count - 1)))
