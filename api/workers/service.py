"""Rules about devices: whether any worker can do the work."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from sqlalchemy.orm import Session

from colt_core.config import PretrainConfig
from store.devices import Devices
from store.repositories import workers
from store.settings import get_settings

_MOST_NAMED = 4  # workers that a message lists


def lacking_hosts(session: Session, config: PretrainConfig) -> tuple[str, str] | None:
    """Why the live workers cannot give a job as many machines as it needs.

    Returns:
        (setting, what is missing), or None if they can, or may be able to.
    """
    if config.num_hosts == 1:
        return None
    live = workers.live_devices(session, get_settings().worker_silence_seconds)
    able = [one for one in live.values() if one is not None and one.can_run(config.device, config.processes_per_host)]
    with_gpus = sum(bool(one.cuda) for one in able)
    most = max(with_gpus, len(able) - with_gpus) + list(live.values()).count(None)  # the machines of a job are alike
    if most >= config.num_hosts:
        return None
    return "num_hosts", f"{most} live workers alike have what a seat needs ({_listed(live)})"


def lacking(session: Session, device: str, num_processes: int) -> tuple[str, str] | None:
    """Why no live worker can compute on this device.

    Work for `auto` or `cpu` may wait for a worker to start. Work for `cuda` is refused where none
    is known to have one: it would most likely wait forever.

    Returns:
        (setting, what is missing), or None if a worker can, or may be able to.
    """
    live = workers.live_devices(session, get_settings().worker_silence_seconds)
    known = [devices for devices in live.values() if devices is not None]
    if any(devices.can_run(device, num_processes) for devices in known):
        return None
    if device == "cuda":
        needed = "a CUDA device" if num_processes == 1 else f"{num_processes} CUDA devices, one for each process"
        return "device", f"no live worker has {needed} ({_listed(live)})"
    if known and len(known) == len(live):
        needed = f"a CUDA device for each of {num_processes} processes"
        return "num_processes", f"no live worker has {needed} ({_listed(live)})"
    return None


def _listed(live: Mapping[str, Devices | None]) -> str:
    """For example "a-1 has 8 CPU cores, b-2 has 16 CPU cores and 2 x NVIDIA H200"."""
    if not live:
        return "none is running"
    told = [f"{name} {_said(devices)}" for name, devices in islice(live.items(), _MOST_NAMED)]
    if (more := len(live) - len(told)) > 0:
        told.append(f"and {more} more")
    return ", ".join(told)


def _said(devices: Devices | None) -> str:
    if devices is None:
        return "has not reported its devices"
    names = dict.fromkeys(devices.cuda)
    parts = [f"{devices.cpu_cores} CPU cores", *(f"{devices.cuda.count(name)} x {name}" for name in names)]
    return f"has {' and '.join(parts)}"
