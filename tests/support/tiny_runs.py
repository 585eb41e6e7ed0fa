"""Runs of a net so small that a whole one takes a third of a second, and what differs between two
of them."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import torch

from colt_core.config import PretrainConfig
from colt_core.events import Event
from colt_core.training.pretrain import pretrain


def images(count: int, seed: int, side: int = 16) -> np.ndarray:
    """A few blurred prototypes with noise, so that there is something to cluster and to learn."""
    rng = np.random.default_rng(seed)
    prototypes = rng.integers(0, 256, (4, 3, 4, 4)).repeat(side // 4, axis=2).repeat(side // 4, axis=3)
    noise = rng.integers(-30, 31, (count, 3, side, side))
    return np.clip(prototypes[rng.integers(0, 4, count)] + noise, 0, 255).astype(np.uint8)


TRAIN, POOL = images(26, seed=1), images(30, seed=2)


def config(**settings: Any) -> PretrainConfig:
    """Four epochs: 4, 4, 7, 7 steps of 8 images (26 ID; from epoch 3 on with 24 OOD), rounds before
    3 and 4."""
    small = {
        "backbone": "resnet10",
        "width": 4,
        "stem": "cifar-stride2",
        "projection_dim": 8,
        "epochs": 4,
        "batch_size": 8,
        "learning_rate": 0.05,
        "lr_warmup_epochs": 1,
        "warmup_epochs": 2,
        "sample_interval": 1,
        "sample_budget": 24,
        "num_clusters": 3,
        "kmeans_restarts": 1,
        "tailness_momentum": 0.5,
        "checkpoint_interval": 2,
        "gh_directions": 5,
    }
    return PretrainConfig.from_stored({**small, "framework": "simclr", "sampler": "colt"} | settings)


def run(made: PretrainConfig, **options: Any) -> list[Event]:
    """All events after RunStarted, so that those of a stopped run and its resumption are those of
    one run."""
    return list(pretrain(made, TRAIN, POOL, **options))[1:]


def stop_after(calls: int) -> Any:
    """A `should_stop` that says yes the n-th time it is asked."""
    asked = count(1)
    return lambda: next(asked) >= calls


def difference(first: Any, second: Any, place: str = "") -> str | None:
    """Where two events or states differ in as much as a bit, durations aside; None if nowhere."""
    if type(first) is not type(second):
        return f"{place}: {type(first).__name__}, {type(second).__name__}"
    if isinstance(first, torch.Tensor):
        return None if torch.equal(first, second) else f"{place}: {first}, {second}"
    if isinstance(first, np.ndarray):
        return None if np.array_equal(first, second) else f"{place}: {first}, {second}"
    if hasattr(first, "__slots__"):
        first, second = (
            {k: getattr(e, k) for k in e.__slots__ if k not in ("seconds", "profile")} for e in (first, second)
        )
    elif isinstance(first, list | tuple):
        first, second = (dict(enumerate(items)) for items in (first, second))
    if isinstance(first, dict):
        first, second = ({k: v for k, v in values.items() if k != "spent"} for values in (first, second))
        if first.keys() != second.keys():
            return f"{place}: {list(first)}, {list(second)}"
        found = (difference(first[key], second[key], f"{place}/{key}") for key in first)
        return next((text for text in found if text), None)
    return None if first == second else f"{place}: {first}, {second}"


def kinds(events: list[Event], *wanted: type) -> list[Event]:
    return [event for event in events if isinstance(event, wanted)]
