"""Sizes of an encoder from the shapes of its layers, computed without torch.

The layers are those of `colt_core/models/resnet.py` and `projection.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from colt_core.architectures import EXPANSION, STAGES

_STEM = {"cifar": (3, 1, False), "cifar-stride2": (3, 2, False), "imagenet": (7, 2, True)}  # side, stride, max-pool
_POOL_INDEX_BYTES = 8  # max-pool keeps an int64 for each of its outputs
_IN_FLIGHT = 3  # maps that a block's backward pass holds: gradients of its output, its input and its shortcut


@dataclass(slots=True)
class EncoderShape:
    """Counts of a backbone with its projection head.

    Attributes:
        convolution: weights of convolutions.
        linear: weights and biases of the projection head's linear layers.
        norms: affine parameters of batch norms; they have as many running statistics.
        tensors: tensors of the state dict.
        trained_tensors: those of them that are trained.
        backbone: float32 values of the backbone's state, parameters and statistics.
        backbone_tensors: tensors of the backbone's state.
        features: dimensions of a feature.
        saved: values that the backward pass needs of each view.
        index_bytes: bytes of indices that it needs of each view, in any precision.
        peak: values of each view at the peak of the backward pass.
        largest: values of the largest map of each view.
    """

    convolution: int = 0
    linear: int = 0
    norms: int = 0
    tensors: int = 0
    trained_tensors: int = 0
    backbone: int = 0
    backbone_tensors: int = 0
    features: int = 0
    saved: int = 0
    index_bytes: int = 0
    peak: int = 0
    largest: int = 0

    @property
    def parameters(self) -> int:
        """Values that are trained."""
        return self.convolution + self.linear + self.norms

    @property
    def state(self) -> int:
        """float32 values of the state dict: parameters and running statistics."""
        return self.parameters + self.norms

    def convolve(self, side: int, inputs: int, outputs: int, pixels: int, *, activated: bool = True) -> None:
        """Add a convolution with its batch norm, whose maps have so many pixels.

        The batch norm keeps its input, the convolution's output. If it is followed by a ReLU, the
        result is kept too, for the ReLU and the next layer.
        """
        self.convolution += side * side * inputs * outputs
        self._norm(outputs)
        self.tensors += 1
        self.trained_tensors += 1
        self._keep((1 + activated) * outputs * pixels, outputs * pixels)

    def _norm(self, channels: int) -> None:
        self.norms += 2 * channels
        self.tensors += 5  # weight, bias, mean, variance, number of batches
        self.trained_tensors += 2

    def _keep(self, values: int, largest: int) -> None:
        self.saved += values
        self.largest = max(self.largest, largest)
        self.peak = max(self.peak, self.saved + _IN_FLIGHT * largest)

    def _project(self, outputs: int) -> None:
        inputs = self.features
        self.linear += inputs * inputs + inputs + inputs * outputs
        self.tensors += 3
        self.trained_tensors += 3
        self._norm(inputs)
        self._norm(outputs)
        self._keep(2 * inputs + 4 * outputs, inputs)


@lru_cache(maxsize=256)
def encoder_shape(backbone: str, width: int, stem: str, projection_dim: int, image_size: int) -> EncoderShape:
    """Sizes of the encoder, per view of `image_size` pixels a side.

    Args:
        backbone, width, stem, projection_dim: as in `PretrainConfig`.
        image_size: S, the side of the images in pixels.
    """
    kind, blocks = STAGES[backbone]
    expansion = EXPANSION[kind]
    shape = EncoderShape()
    side, stride, pools = _STEM[stem]
    pixels_side = -(-image_size // stride)
    shape.convolve(side, 3, width, pixels_side**2)
    if pools:
        pixels_side = -(-pixels_side // 2)
        shape.index_bytes = _POOL_INDEX_BYTES * width * pixels_side**2
        shape._keep(width * pixels_side**2, width * pixels_side**2)
    inputs = width
    for stage, count in enumerate(blocks):
        channels = width * 2**stage
        for block in range(count):
            before = pixels_side**2
            if stage > 0 and block == 0:
                pixels_side = -(-pixels_side // 2)
            pixels, outputs = pixels_side**2, channels * expansion
            if kind == "basic":
                shape.convolve(3, inputs, channels, pixels)
                shape.convolve(3, channels, channels, pixels)
            else:
                shape.convolve(1, inputs, channels, before)
                shape.convolve(3, channels, channels, pixels)
                shape.convolve(1, channels, outputs, pixels)
            if inputs != outputs or (stage > 0 and block == 0):
                shape.convolve(1, inputs, outputs, pixels, activated=False)
            inputs = outputs
    shape.features = inputs
    shape.backbone, shape.backbone_tensors = shape.state, shape.tensors
    shape._project(projection_dim)
    return shape
