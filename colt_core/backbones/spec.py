"""What a user asks for when registering a backbone. Imports no torch, as the API needs it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from colt_core.architectures import Stem
from colt_core.config import Backbone
from colt_core.numbers import WithNumbers

# Endings of files with weights: safetensors, and what torch.save writes.
WEIGHT_ENDINGS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
MOST_BYTES = 4 * 2**30  # of such a file
# Defaults: torchvision's and timm's ResNets.
WIDTH, STEM = 64, "imagenet"

_Mean = Annotated[float, Field(ge=0, le=1)]
_Std = Annotated[float, Field(ge=1e-3, le=100)]


class _Model(WithNumbers):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class WeightsUpload(_Model):
    """An uploaded file of weights under torchvision's or timm's names."""

    kind: Literal["upload"] = "upload"
    upload_id: str = Field(min_length=1, max_length=200)


class RandomWeights(_Model):
    """The weights that a run with this seed begins with."""

    kind: Literal["random"] = "random"
    seed: int = Field(0, ge=0, lt=2**31)


class CheckpointWeights(_Model):
    """The backbone of a checkpoint of any job."""

    kind: Literal["checkpoint"] = "checkpoint"
    checkpoint_id: str = Field(min_length=1, max_length=64)


WeightsSource = Annotated[WeightsUpload | RandomWeights | CheckpointWeights, Field(discriminator="kind")]


class BackboneSpec(_Model):
    """A backbone, and how images are standardised for it.

    A checkpoint has all settings itself. For other sources `backbone` is required.
    """

    source: WeightsSource
    backbone: Backbone | None = Field(None, description="Required, but for a checkpoint.")
    width: int | None = Field(None, ge=4, le=256, description="Channels of the first stage. Default: 64.")
    stem: Stem | None = Field(
        None,
        description="Default: `imagenet`, 7x7 with stride 2 and max-pool. A file does not say the stride, so "
        "choose between `cifar` and `cifar-stride2` yourself.",
    )
    mean: tuple[_Mean, _Mean, _Mean] | None = Field(
        None, description="Of red, green and blue, in units of 0..1, as in its training. Default: ImageNet's."
    )
    std: tuple[_Std, _Std, _Std] | None = Field(None, description="Deviations, in the same units. Default: ImageNet's.")
