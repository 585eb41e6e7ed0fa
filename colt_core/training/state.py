"""What a run carries from one step to the next, and how it becomes a checkpoint and comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from colt_core.config import PretrainConfig
from colt_core.distributed import ALONE, Ranks, with_global_statistics
from colt_core.events import Int64
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.framework import Framework
from colt_core.models import Backbone
from colt_core.snapshot import DataSizes, Snapshot
from colt_core.tailness import TailnessTracker
from colt_core.training.checkpoint import FORMAT, check_resumable, check_startable
from colt_core.training.device import Compute
from colt_core.training.optimizer import build_optimizer, load_optimizer
from colt_core.training.refresh import Float16
from colt_core.training.vitals import Vitals


@dataclass
class TrainingState:
    """The state of a run between two steps.

    It has no random state: all randomness is a function of seed, epoch and step (`seeding.py`).
    """

    config: PretrainConfig
    data: DataSizes  # sizes of the run's data, to refuse other data
    framework: Framework
    optimizer: Optimizer
    tailness: TailnessTracker
    vitals: Vitals
    selected: Int64 = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # last round's picks, see Snapshot
    known_pool: Float16 | None = None  # (M, D) embeddings, on rank 0, after a round of pool_refresh "candidates"
    rounds: int = 0  # sampling rounds so far
    epoch: int = 0  # finished epochs
    step: int = 0  # optimiser steps so far
    loss_sum: float = 0.0  # over the steps of the unfinished epoch
    spent: dict[str, float] = field(default_factory=dict)  # seconds of an unfinished epoch, by phase and in all

    @classmethod
    def start(
        cls,
        config: PretrainConfig,
        data: DataSizes,
        compute: Compute,
        ranks: Ranks = ALONE,
        start_from: Snapshot | Backbone | None = None,
    ) -> Self:
        """The state before the first step, with the model on its device.

        It is the same on every rank, and stays the same.

        Args:
            start_from: the state of another run, or a backbone. This one begins with its weights.

        Raises:
            ValueError: if they do not fit; the message says what differs.
        """
        if start_from is not None:
            check_startable(start_from, config)
        num_train = data["num_train"]
        framework = build_framework(config, num_train, start_from)
        if ranks.size > 1:
            with_global_statistics(framework)
        compute.module(framework)
        return cls(
            config,
            data,
            framework,
            build_optimizer(config, framework),
            TailnessTracker(num_train, config.tailness_momentum),
            Vitals(config, compute.bf16),
        )

    def snapshot(self) -> Snapshot:
        """A copy on the host. It has only plain values and tensors, for `weights_only=True`.

        Raises:
            TrainingDiverged: if the weights are not finite after the last step, or beyond reason,
                although its loss and gradient were not.
        """
        framework = _on_host(self.framework.state_dict())
        self.vitals.check_weights(framework, self.epoch, self.step)
        snapshot: Snapshot = {
            "format": FORMAT,
            "config": self.config.model_dump(),
            "data": self.data.copy(),
            "epoch": self.epoch,
            "step": self.step,
            "loss_sum": self.loss_sum,
            "spent": dict(self.spent),
            "vitals": self.vitals.state(),
            "rounds": self.rounds,
            "selected": torch.from_numpy(self.selected.copy()),
            "tailness": self.tailness.state_dict(),
            "framework": framework,
            "optimizer": _on_host(self.optimizer.state_dict()),
        }
        if self.known_pool is not None:
            snapshot["known_pool"] = torch.from_numpy(self.known_pool.copy())
        return snapshot

    def restore(self, snapshot: Snapshot) -> None:
        """Resume from a snapshot.

        Raises:
            ValueError: if its configuration or data differ; the message says how.
        """
        check_resumable(snapshot, self.config, self.data)
        self.framework.load_state_dict(snapshot["framework"])
        # A copy, because the optimiser keeps these tensors and would change the caller's snapshot.
        load_optimizer(self.optimizer, _on_host(snapshot["optimizer"]))
        self.tailness.load_state_dict(snapshot["tailness"])
        self.selected = snapshot["selected"].numpy().copy()
        self.known_pool = snapshot["known_pool"].numpy().copy() if "known_pool" in snapshot else None
        self.rounds, self.epoch, self.step = snapshot["rounds"], snapshot["epoch"], snapshot["step"]
        self.loss_sum, self.spent = snapshot["loss_sum"], dict(snapshot.get("spent", {}))
        self.vitals.restore(snapshot.get("vitals", {}))


def _on_host(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _on_host(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_on_host(item) for item in value]
    return value
