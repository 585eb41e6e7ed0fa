"""ResNet backbones: torchvision's, with a choice of stem and of the first stage's width."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.utils import skip_init
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

Stem = Literal["cifar", "cifar-stride2", "imagenet"]

_STAGES: dict[str, tuple[type[BasicBlock | Bottleneck], tuple[int, int, int, int]]] = {
    "resnet10": (BasicBlock, (1, 1, 1, 1)),
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}


_SAFE_CHANNELS = 16


class _SubsampledConv2d(nn.Conv2d):
    """A strided 1x1 convolution as a stride-1 one of every other pixel: the same function and state dict.

    oneDNN's backward pass of the strided one writes past its workspace on channels-last images of fewer channels than
    a vector register holds (8 with AVX2, 16 with AVX-512; uxlfoundation/oneDNN#6035, PyTorch 2.14): the heap is
    corrupted, and with large images the process ends.
    """

    def forward(self, input: Tensor) -> Tensor:
        down, right = self.stride
        return nn.functional.conv2d(input[:, :, ::down, ::right], self.weight)


class Backbone(ResNet):  # type: ignore[misc]
    """A ResNet up to and including the average pool: images (B, 3, H, W) -> features (B, `num_features`).

    Its state dict has torchvision's names, so at width 64 and with the "imagenet" stem it loads into
    `torchvision.models.resnet18(...)` with `strict=False` (only `fc` is missing).

    Args:
        name: "resnet10", "resnet18", "resnet34" or "resnet50".
        width: channels of the first stage; each further stage doubles them. torchvision's own `width_per_group`
            widens only the inside of a bottleneck, hence the stages are laid out here.
        stem: 3x3 stride 1 or 3x3 stride 2 without max-pool (small images), or 7x7 stride 2 with max-pool.
    """

    def __init__(self, name: str, width: int = 64, stem: Stem = "cifar") -> None:
        if name not in _STAGES:
            raise ValueError(f"unknown backbone {name!r}: choose one of {', '.join(_STAGES)}")
        nn.Module.__init__(self)
        block, blocks = _STAGES[name]
        self._norm_layer = nn.BatchNorm2d
        self.inplanes, self.dilation, self.groups, self.base_width = width, 1, 1, 64

        if stem == "imagenet":
            self.conv1 = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
            self.maxpool: nn.Module = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        else:
            stride = 2 if stem == "cifar-stride2" else 1
            self.conv1 = nn.Conv2d(3, width, kernel_size=3, stride=stride, padding=1, bias=False)
            self.maxpool = nn.Identity()
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = self._make_layer(block, width, blocks[0])
        self.layer2 = self._make_layer(block, 2 * width, blocks[1], stride=2)
        self.layer3 = self._make_layer(block, 4 * width, blocks[2], stride=2)
        self.layer4 = self._make_layer(block, 8 * width, blocks[3], stride=2)
        for shortcut in [m.downsample for m in self.modules() if getattr(m, "downsample", None) is not None]:
            conv = shortcut[0]
            if conv.stride != (1, 1) and conv.in_channels < _SAFE_CHANNELS:
                # Initialised below, as all others.
                sizes = (conv.in_channels, conv.out_channels, 1, conv.stride)
                shortcut[0] = skip_init(_SubsampledConv2d, *sizes, bias=False)  # type: ignore[no-untyped-call]
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Identity()
        self.num_features: int = 8 * width * block.expansion

        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Average-pooled features, (B, `num_features`)."""
        features: Tensor = super().forward(images)
        return features
