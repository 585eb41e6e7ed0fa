"""The presets for 224 px images, with their ResNet-50, for as many steps as a CPU can make in a
moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from colt_core.config import PretrainConfig
from colt_core.events import CheckpointReady, Finished, RoundDone, StepDone
from colt_core.training.checkpoint import load_backbone
from colt_core.training.pretrain import pretrain
from tests.support.tiny_runs import kinds

IMAGES, POOL = (np.random.default_rng(seed).integers(0, 256, (2, 3, 224, 224), dtype=np.uint8) for seed in (1, 2))


@pytest.mark.parametrize(
    ("preset", "settings", "steps"),
    [
        ("imagenet100-lt", {"sampler": "colt", "num_clusters": 2, "sample_budget": 2}, 3),
        ("places-lt", {"framework": "sdclr", "sampler": "none"}, 2),
        ("imagenet100-lt", {"framework": "bcl", "sampler": "none"}, 2),
    ],
    ids=["simclr", "sdclr", "bcl"],
)
def test_resnet50_trains_at_224_px(preset: str, settings: dict[str, Any], steps: int) -> None:
    """Two epochs of one ID batch, the second with OOD images or BCL's strengths.

    Batches of two are too small for the published learning rate: embeddings come to 1e16 in
    evaluation mode.
    """
    config = PretrainConfig.resolve(
        {"preset": preset, **settings, "epochs": 2, "batch_size": 2, "lr_warmup_epochs": 0, "learning_rate": 1e-3}
    )
    assert (config.backbone, config.width, config.stem, config.blur_probability) == ("resnet50", 64, "imagenet", 0.5)
    events = list(pretrain(config, IMAGES, POOL))
    assert events[-1] == Finished(2, steps)
    assert all(np.isfinite(step.loss) for step in kinds(events, StepDone))
    assert len(kinds(events, RoundDone)) == config.sampler.picks
    backbone, _ = load_backbone(kinds(events, CheckpointReady)[-1].state)
    assert backbone.num_features == 2048
