"""Finds the devices of this machine. This module imports no torch."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from store.devices import Devices

# A driver of NVIDIA, of NVIDIA under WSL, or of AMD makes one of these.
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
PATIENCE_SECONDS = 120.0
# Of each device: its name, its memory in bytes, and whether it multiplies in bf16.
_ASK_TORCH = """
import json, torch
found = range(torch.cuda.device_count() * torch.cuda.is_available())
bf16 = bool(found) and torch.cuda.is_bf16_supported(including_emulation=False)
print(json.dumps([[torch.cuda.get_device_name(n), torch.cuda.mem_get_info(n)[1], bf16] for n in found]))
"""
# Flags of CPUs that multiply in bf16, as in colt_core/training/device.py.
_BF16_FLAGS = {"amx_tile", "avx512_bf16"}
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

log = logging.getLogger("worker")


@cache
def own_devices() -> Devices:
    """The devices of this machine, looked up once.

    Only torch knows whether it can use a GPU: its build, the driver and CUDA_VISIBLE_DEVICES
    decide. Loading it takes seconds, so a machine without a driver does not.
    """
    found = _cuda_devices() if any(Path(driver).exists() for driver in DRIVERS) else []
    return Devices(
        _cpu_cores(),
        cuda=tuple(name for name, _, _ in found),
        memory_bytes=_memory_bytes(),
        cuda_bytes=tuple(memory for _, memory, _ in found),
        bf16=all(bf16 for _, _, bf16 in found) if found else _cpu_has_bf16(),
    )


def _memory_bytes() -> int | None:
    """The machine's memory, or less where a control group limits it; None if it is not known."""
    try:
        known = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (AttributeError, OSError, ValueError):  # not on every system
        return None
    for path in map(Path, _CGROUP_LIMITS):
        with suppress(OSError, ValueError):  # no such group, or "max"
            known.append(int(path.read_text()))
    return min(known)


def _cpu_has_bf16() -> bool:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not _BF16_FLAGS.isdisjoint(flags)


def _cpu_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cuda_devices() -> list[tuple[str, int, bool]]:
    try:
        told = subprocess.run(
            [sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
        )
        return [(name, memory, bf16) for name, memory, bf16 in json.loads(told.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError):
        log.warning("this machine has the driver of a GPU, but torch cannot use it", exc_info=True)
        return []
