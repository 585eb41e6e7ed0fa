"""Finds the devices of this machine. This module imports no torch."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from store.devices import Devices

# A driver of NVIDIA, of NVIDIA under WSL, or of AMD makes one of these.
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
PATIENCE_SECONDS = 120.0
_ASK_TORCH = """
import json, torch
print(json.dumps([torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count() * torch.cuda.is_available())]))
"""

log = logging.getLogger("worker")


@cache
def own_devices() -> Devices:
    """The devices of this machine, looked up once.

    Only torch knows whether it can use a GPU: its build, the driver and CUDA_VISIBLE_DEVICES
    decide. Loading it takes seconds, so a machine without a driver does not.
    """
    return Devices(_cpu_cores(), _cuda_devices() if any(Path(driver).exists() for driver in DRIVERS) else ())


def _cpu_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cuda_devices() -> tuple[str, ...]:
    try:
        told = subprocess.run(
            [sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
        )
        return tuple(json.loads(told.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        log.warning("this machine has the driver of a GPU, but torch cannot use it", exc_info=True)
        return ()
