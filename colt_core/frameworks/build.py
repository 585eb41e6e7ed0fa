"""Builds a configuration's framework with its initial weights."""

from __future__ import annotations

import torch

from colt_core.config import PretrainConfig
from colt_core.frameworks.framework import Framework
from colt_core.models import Backbone, ProjectionHead
from colt_core.seeding import stream_seed


def build_framework(config: PretrainConfig, num_train: int) -> Framework:
    """The configured framework on the CPU.

    Initial weights are a function of the seed. torch's random state is not changed.

    Args:
        num_train: images of the training part. BCL keeps a loss for each.
    """
    implementation: type[Framework] = config.framework.load()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(config.seed, "weights"))
        backbone = Backbone(config.backbone, config.width, config.stem)
        projector = ProjectionHead(backbone.num_features, config.projection_dim)
        return implementation.of(config, backbone, projector, num_train)
