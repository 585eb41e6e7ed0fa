"""What a worker reports of its machine."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import torch
from sqlalchemy import Engine

from colt_core.training.device import Compute
from store.database import reading
from store.devices import Devices
from store.models import Worker
from worker import devices
from worker.folder import WorkerFolder
from worker.reconciler import Reconciler

HERE = tuple(torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count()))


def test_cores_memory_and_gpus_are_those_that_torch_can_use() -> None:
    found = devices.own_devices()
    assert (found.cpu_cores, found.cuda) == (len(os.sched_getaffinity(0)), HERE)
    assert found.memory_bytes is not None and 2**28 < found.memory_bytes <= psutil.virtual_memory().total
    assert len(found.cuda_bytes) == len(HERE)
    assert found.bf16 == Compute.choose().bf16
    # Asked for even on a machine without a driver.
    assert tuple(name for name, _, _ in devices._cuda_devices()) == HERE


def test_devices_of_an_earlier_version_are_read() -> None:
    assert Devices.of({"cpu_cores": 2, "cuda": ["GPU"]}) == Devices(2, ("GPU",))
    full = Devices(2, ("GPU",), 10, (20,), True)
    assert Devices.of(full.column()) == full


def test_a_heartbeat_carries_them(configured: Engine, home: Path) -> None:
    Reconciler(WorkerFolder(home, "me")).once()
    with reading(configured) as session:
        told = session.get_one(Worker, "me").devices
    assert told is not None and Devices.of(told) == devices.own_devices()
