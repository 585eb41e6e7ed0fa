"""What exported files say about their origin: no path, and no name of a machine."""

from __future__ import annotations

import hashlib
import json

from colt_core.config import PretrainConfig
from colt_core.pixels import MEAN, STD
from colt_core.snapshot import Snapshot


def describe(state: Snapshot) -> dict[str, str]:
    """Architecture, pixels, age and settings of a checkpoint's backbone, as texts.

    `mean` and `std` of the channels are JSON. The backbone expects (RGB in 0..1 - mean) / std.
    """
    config = PretrainConfig.from_stored(state["config"])
    architecture = {name: str(value) for name, value in config.architecture._asdict().items()}
    return architecture | {
        "image_size": str(state["data"]["image_size"]),
        "mean": json.dumps(MEAN),
        "std": json.dumps(STD),
        "epoch": str(state["epoch"]),
        "step": str(state["step"]),
        "config_sha256": config_sha256(config),
    }


def config_sha256(config: PretrainConfig) -> str:
    """Digest of all settings: of their JSON, with sorted keys and no spaces."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
