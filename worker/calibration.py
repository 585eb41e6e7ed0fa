"""Measures whether this machine trains more with several jobs at once than with one on all cores.

What decides is how much quicker a step is on all cores than on a few. Small nets gain little from
more threads. On a shared machine all threads wait at each operation for the slowest one.
"""

from __future__ import annotations

import logging
import tempfile
import time
from functools import partial
from pathlib import Path

from worker import programs

WARM_UP_STEPS = 2
IMAGES, SIDE, WIDTH = 64, 32, 16  # a batch of two views each through the encoder of `cpu-small`
PATIENCE_SECONDS = 60.0

log = logging.getLogger("worker")


def gain(places: int, threads: int, alone: int, seconds: float = 1.5) -> float:
    """Steps per second of several processes at once, over those of one process alone.

    Args:
        places: processes at once.
        threads: of each of them.
        alone: threads of the one that is alone.
        seconds: how long each is measured.

    Returns:
        1 if it cannot be measured.
    """
    with tempfile.TemporaryDirectory() as folder:
        at_once = _rate(Path(folder), [threads] * places, seconds)
        single = _rate(Path(folder), [alone], seconds)
    if not at_once or not single:
        log.warning("whether jobs side by side are quicker could not be measured; they run one after the other")
        return 1.0
    found = at_once / single
    log.info("%d jobs at once on %d threads each: %.2f times as quick as one on %d", places, threads, found, alone)
    return found


def _rate(folder: Path, threads: list[int], seconds: float) -> float:
    """Steps per second of all processes that run at the same time; 0 if one fails."""
    files = [folder / f"{len(threads)}-{number}" for number in range(len(threads))]
    calls = [partial(_step, number, file, seconds) for number, file in zip(threads, files, strict=True)]
    try:
        if not programs.call_at_once(calls, PATIENCE_SECONDS + seconds):
            return 0.0
        return sum(float(file.read_text()) for file in files)
    except OSError:
        return 0.0


def _step(threads: int, file: Path, seconds: float) -> None:
    """What a measuring process does: train for a while, and write its steps per second."""
    import torch

    from colt_core.models import Backbone
    from colt_core.training.device import Compute

    torch.set_num_threads(threads)
    compute = Compute.choose("cpu")
    backbone = Backbone("resnet10", WIDTH, "cifar-stride2")
    compute.module(backbone)
    views = torch.rand(2 * IMAGES, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)

    def step() -> None:
        with compute.autocast():
            loss = backbone(views).float().square().mean()
        loss.backward()

    for _ in range(WARM_UP_STEPS):
        step()
    began, steps = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        step()
        steps += 1
    file.write_text(str(steps / passed))
