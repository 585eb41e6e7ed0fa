"""Named starting points for a configuration.

Values are those of the released code, or measured here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic.fields import FieldInfo

from colt_core.kinds import FieldMark, has_mark

PresetName = Literal["cifar10-lt", "cifar100-lt", "imagenet100-lt", "places-lt", "cpu-small", "digits"]
MAX_EPOCHS = 100_000

_CIFAR: dict[str, Any] = {
    "backbone": "resnet18",
    "width": 64,
    "stem": "cifar",
    "epochs": 2000,
    "batch_size": 512,
    "temperature": 0.2,
    "learning_rate": 0.5,
    "weight_decay": 1e-4,
    "warmup_epochs": 100,
    "sample_interval": 25,
    "sample_budget": 10_000,
    "distribution_loss_weight": 0.2,
}

# For 224 px images. The groups follow ImageNet-LT.
_LARGE_IMAGES: dict[str, Any] = {
    **_CIFAR,
    "backbone": "resnet50",
    "stem": "imagenet",
    "epochs": 500,
    "batch_size": 256,
    "min_crop_scale": 0.08,
    "blur_probability": 0.5,
    "distribution_loss_weight": 0.01,
    "group_thresholds": {"low": 20, "high": 100},
}

PRESETS: dict[str, dict[str, Any]] = {
    # As published. These are meant for a GPU and take days on a CPU.
    "cifar10-lt": _CIFAR,
    "cifar100-lt": _CIFAR,
    "imagenet100-lt": _LARGE_IMAGES,
    "places-lt": _LARGE_IMAGES,
    # Trains on CIFAR-10-LT with two CPU cores in well under an hour.
    "cpu-small": {
        **_CIFAR,
        "backbone": "resnet10",
        "width": 16,
        "stem": "cifar-stride2",
        "epochs": 200,
        "warmup_epochs": 50,
        "sample_interval": 25,
        "sample_budget": 5_000,
        # 0.97 forgets the scores of the untrained net over 2000 epochs, but not over 200.
        "tailness_momentum": 0.9,
        "loss_momentum": 0.9,
        "checkpoint_interval": 5,
    },
    # A demonstration of a minute or two, on scikit-learn's 8x8 digits at 32 px. There is no flip,
    # since a mirrored digit is another sign.
    "digits": {
        **_CIFAR,
        "backbone": "resnet10",
        "width": 16,
        "stem": "cifar-stride2",
        "epochs": 60,
        "batch_size": 128,
        "lr_warmup_epochs": 5,
        "warmup_epochs": 15,
        "sample_interval": 10,
        "sample_budget": 300,
        "tailness_momentum": 0.8,
        "loss_momentum": 0.8,
        "min_crop_scale": 0.4,
        "flip_probability": 0.0,
        "checkpoint_interval": 5,
    },
}

PRESET_TITLES: dict[str, str] = {
    "cifar10-lt": "CIFAR-10-LT, as published",
    "cifar100-lt": "CIFAR-100-LT, as published",
    "imagenet100-lt": "ImageNet-100-LT, as published",
    "places-lt": "Places-LT, as published",
    "cpu-small": "Small net, for two CPU cores",
    "digits": "Handwritten digits, a demonstration",
}


def scaled_schedule(
    base: Mapping[str, Any], fields: Mapping[str, FieldInfo], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Scale a preset's schedule to the user's number of epochs.

    Numbers of epochs scale with the run, but stay at least one. A momentum m of averages over
    epochs (tailness, BCL's losses) becomes m ** (old / new). After the same share of the run, the
    first value then has the same weight in the average.

    Args:
        base: the resolved values of the preset.
        fields: the settings of the run. Their marks say which scale; see `FieldMark`.
        settings: the user's own. Keys given there are not scaled.

    Returns:
        The scaled values; empty unless the user sets `epochs` to another integer.
    """
    epochs = settings.get("epochs")
    if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs == base["epochs"]:
        return {}
    if not 1 <= epochs <= MAX_EPOCHS:  # validation will refuse it
        return {}
    share = epochs / base["epochs"]
    scaled: dict[str, Any] = {}
    for name, field in fields.items():
        if has_mark(field, FieldMark.EPOCHS):
            scaled[name] = max(1, round(base[name] * share))
        elif has_mark(field, FieldMark.EPOCH_MOMENTUM):
            scaled[name] = round(base[name] ** (1 / share), 6)
    if epochs == 1:
        scaled["lr_warmup_epochs"] = 0
    return {name: value for name, value in scaled.items() if name not in settings}
