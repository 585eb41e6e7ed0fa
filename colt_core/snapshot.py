"""The contents of a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:  # events are read by programs that never import torch
    from torch import Tensor


class DataSizes(TypedDict):
    """Sizes of a run's data, which a checkpoint must match."""

    num_train: int
    num_pool: int | None  # None if the sampler picks no OOD images
    image_size: int  # pixels


class Snapshot(TypedDict):
    """The state of a run between two steps, of plain values and tensors on the host.

    It holds no random state: all randomness is a function of seed, epoch and step.
    """

    format: int  # see colt_core/training/checkpoint.py
    config: dict[str, object]  # `PretrainConfig.model_dump()`
    data: DataSizes  # sizes of the run's data
    epoch: int  # finished epochs
    step: int  # optimiser steps so far
    loss_sum: float  # over the steps of the unfinished epoch
    spent: NotRequired[dict[str, float]]  # seconds of an unfinished epoch, by phase and in all
    vitals: NotRequired[dict[str, object]]  # `Vitals.state()`
    rounds: int  # sampling rounds so far
    selected: Tensor  # (K,) int64 indices of the last round's picks: of the pool or, without one, the training part
    known_pool: NotRequired[Tensor]  # (M, D) float16, with `pool_refresh: candidates`
    tailness: dict[str, Tensor]  # `TailnessTracker.state_dict()`
    framework: dict[str, Tensor]  # `Framework.state_dict()`
    optimizer: dict[str, object]  # `Optimizer.state_dict()`
