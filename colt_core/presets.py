"""Named starting points for a configuration. Values are those of the released code, or measured here."""

from __future__ import annotations

from typing import Any, Literal

PresetName = Literal["cifar10-lt", "cifar100-lt", "imagenet100-lt", "places-lt", "cpu-small", "digits"]
MOST_EPOCHS = 100_000

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

# Of 224 px images. Groups by the counts that ImageNet-LT set.
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
    # As published: days on a CPU, meant for a GPU.
    "cifar10-lt": _CIFAR,
    "cifar100-lt": _CIFAR,
    "imagenet100-lt": _LARGE_IMAGES,
    "places-lt": _LARGE_IMAGES,
    # CIFAR-10-LT on two CPU cores in well under an hour.
    "cpu-small": {
        **_CIFAR,
        "backbone": "resnet10",
        "width": 16,
        "stem": "cifar-stride2",
        "epochs": 200,
        "warmup_epochs": 50,
        "sample_interval": 25,
        "sample_budget": 5_000,
        # 0.97 over 2000 epochs forgets the untrained scores; over 200 it would not.
        "tailness_momentum": 0.9,
        "loss_momentum": 0.9,
        "checkpoint_interval": 5,
    },
    # scikit-learn's 8x8 digits at 32 px: a demonstration in a minute or two. No flip: a mirrored digit is another sign.
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


# What a framework's authors changed of the preset's values.
_SDCLR_LARGE: dict[str, Any] = {"prune_share": 0.3, "temperature": 0.3}


def preset_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The values of the preset that a user's settings name, for the framework that they name."""
    name, framework = settings.get("preset"), settings.get("framework")
    preset = PRESETS.get(name, {}) if isinstance(name, str) else {}
    on_sdclr = framework == "sdclr" or (framework == "bcl" and settings.get("bcl_variant") == "D")
    return {
        **preset,
        **(_SDCLR_LARGE if on_sdclr and preset.get("stem") == "imagenet" else {}),
        **({"weight_decay": 5e-4} if framework == "bcl" and not on_sdclr else {}),
    }


def scaled_schedule(base: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """What of a preset's schedule changes when the user sets the number of epochs.

    Lengths scale with the run, never below one epoch. A momentum m of averages over epochs (tailness, BCL's losses)
    becomes m ** (old / new), so that the same share of a score is still its first value when the same share of the run
    is over.

    Args:
        base: the resolved values of the preset.
        settings: the user's own; a key given there is left to the user.

    Returns:
        The scaled keys; empty when the user does not set `epochs` to another integer.
    """
    epochs = settings.get("epochs")
    if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs == base["epochs"]:
        return {}
    if not 1 <= epochs <= MOST_EPOCHS:  # will be refused
        return {}
    share = epochs / base["epochs"]
    scaled: dict[str, Any] = {
        key: max(1, round(base[key] * share))
        for key in ("warmup_epochs", "sample_interval", "lr_warmup_epochs", "checkpoint_interval")
    }
    if epochs == 1:
        scaled["lr_warmup_epochs"] = 0
    for momentum in ("tailness_momentum", "loss_momentum"):
        scaled[momentum] = round(base[momentum] ** (1 / share), 6)
    return {key: value for key, value in scaled.items() if key not in settings}
