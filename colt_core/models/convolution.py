"""Convolutions that avoid two faults of oneDNN. They have no bias, since a batch norm follows."""

from __future__ import annotations

from torch import Tensor, nn

_SAFE_CHANNELS = 16


def convolution(side: int, in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size at stride 1, by an odd kernel side.

    Result, shapes and state dict are those of nn.Conv2d with padding `side // 2`.
    """
    kind = nn.Conv2d
    if side > 1:
        kind = _SeenTapsConv2d
    elif stride != 1 and in_channels < _SAFE_CHANNELS:
        kind = _SubsampledConv2d
    return kind(in_channels, out_channels, side, stride=stride, padding=side // 2, bias=False)


class _SeenTapsConv2d(nn.Conv2d):
    """A convolution that leaves out taps on padding, for outputs one pixel high or wide.

    A 3x3 convolution of a 1-pixel map is a 1x1 product of the centre tap. The gradients of taps
    left out are exact zeros.

    On CPUs with AVX-512 BF16, oneDNN leaves these gradients unwritten in bf16 if the map is smaller
    than the stride. This was seen with PyTorch 2.14.1 and strides of 2 and 3. They then have what
    the memory held before: often zeros, in some runs NaN or 1e34. Float32 and larger maps are
    right.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, ceil(H / stride), ceil(W / stride))."""
        weight, stride, padding = self.weight, list(self.stride), [side // 2 for side in self.kernel_size]
        for axis, size in enumerate(input.shape[2:]):
            if size <= stride[axis]:  # one pixel of output, whose window begins in the padding
                seen = min(size, self.kernel_size[axis] - padding[axis])
                input, weight = input.narrow(2 + axis, 0, seen), weight.narrow(2 + axis, padding[axis], seen)
                stride[axis], padding[axis] = 1, 0
        return nn.functional.conv2d(input, weight, stride=stride, padding=padding)


class _SubsampledConv2d(nn.Conv2d):
    """A strided 1x1 convolution, computed with stride 1 on every other pixel.

    This avoids a bug in the strided backward pass of oneDNN (uxlfoundation/oneDNN#6035, PyTorch
    2.14). It writes past its workspace if channels-last images have fewer channels than a vector
    register (8 with AVX2, 16 with AVX-512). The heap is then corrupted, and with large images the
    process crashes.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, ceil(H / stride), ceil(W / stride))."""
        down, right = self.stride
        return nn.functional.conv2d(input[:, :, ::down, ::right], self.weight)
