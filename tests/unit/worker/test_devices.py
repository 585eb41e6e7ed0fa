"""What a worker reports of its machine."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from sqlalchemy import Engine

from store.database import reading
from store.devices import Devices
from store.models import Worker
from worker import devices
from worker.folder import WorkerFolder
from worker.reconciler import Reconciler

HERE = tuple(torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count()))


def test_cores_and_gpus_are_those_that_torch_can_use() -> None:
    assert devices.own_devices() == Devices(len(os.sched_getaffinity(0)), HERE)
    assert devices._cuda_devices() == HERE  # asked for even on a machine without a driver


def test_a_heartbeat_carries_them(configured: Engine, home: Path) -> None:
    Reconciler(WorkerFolder(home, "me")).once()
    with reading(configured) as session:
        told = session.get_one(Worker, "me").devices
    assert told is not None and Devices.of(told) == devices.own_devices()
