"""Time and peak memory of a call."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from pathlib import Path


def median_ms(call: Callable[[], object], repeats: int) -> float:
    """Median wall time in milliseconds, after one call to warm up."""
    call()
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        samples.append(1000 * (time.perf_counter() - start))
    return statistics.median(samples)


def peak_mib(call: Callable[[], object]) -> float:
    """The rise of the process's resident memory during the call, in MiB (Linux)."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # otherwise blocks of an earlier call would be reused and not counted
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    before = _status_kib("VmRSS")
    call()
    return (_status_kib("VmHWM") - before) / 1024


def _status_kib(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
