"""Builds a configuration's framework with its initial weights."""

from __future__ import annotations

import torch
from torch import nn

from colt_core.config import PretrainConfig
from colt_core.frameworks.framework import Framework
from colt_core.models import Backbone, ProjectionHead
from colt_core.seeding import stream_seed
from colt_core.snapshot import Snapshot


def build_framework(config: PretrainConfig, num_train: int, start_from: Snapshot | Backbone | None = None) -> Framework:
    """The configured framework on the CPU.

    Initial weights are a function of the seed, or those to start from. torch's random state is not
    changed.

    Args:
        num_train: images of the training part. BCL keeps a loss for each.
        start_from: a state or a backbone that fits (`PretrainConfig.encoder_problems`). Backbone
            and projection head get its weights and batch-norm statistics before the framework is
            made of them. So a key encoder or a pruned branch begins as a copy of them, too. A
            projection head of another size, or of a backbone alone, is initialised as usual.
    """
    implementation: type[Framework] = config.framework.load()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(config.seed, "weights"))
        backbone = Backbone(config.backbone, config.width, config.stem)
        projector = ProjectionHead(backbone.num_features, config.projection_dim)
        if isinstance(start_from, Backbone):
            backbone.load_state_dict(start_from.state_dict())
        elif start_from is not None:
            _load(backbone, "backbone.", start_from)
            if start_from["config"]["projection_dim"] == config.projection_dim:
                _load(projector, "projector.", start_from)
        return implementation.of(config, backbone, projector, num_train)


def _load(module: nn.Module, prefix: str, state: Snapshot) -> None:
    weights = state["framework"].items()
    module.load_state_dict({name.removeprefix(prefix): value for name, value in weights if name.startswith(prefix)})
