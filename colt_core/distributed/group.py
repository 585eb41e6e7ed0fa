"""Joins the processes of a run, started by torchrun or the service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from colt_core.config import PretrainConfig
from colt_core.distributed.ranks import HOW_TO_START, Ranks

# Other ranks wait while rank 0 clusters or writes a checkpoint to slow storage.
TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Launch:
    """This process's place, as given by its launcher. `local_*` counts within one machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    rendezvous: str = "env://"  # where the processes meet, a URL for torch.distributed
    timeout: timedelta = TIMEOUT  # how long one waits for another

    @classmethod
    def from_environment(cls) -> Launch:
        """Read torchrun's variables. A process that torchrun did not start is alone."""

        def said(name: str, otherwise: int) -> int:
            return int(os.environ.get(name, otherwise))

        return cls(said("RANK", 0), said("WORLD_SIZE", 1), said("LOCAL_RANK", 0), said("LOCAL_WORLD_SIZE", 1))


@contextmanager
def process_group(config: PretrainConfig, launch: Launch | None = None) -> Iterator[Ranks]:
    """Join the processes of a run for the duration of the context.

    All processes call `pretrain` inside, with the same arguments, and consume all of its events.
    Only one (`ranks.rank == 0`) writes files. With `num_processes` 1 nothing is set up.

    GPUs communicate by nccl, and each process uses the GPU of its `local_rank`. CPUs communicate by
    gloo. If a process dies, the next collective of the others raises RuntimeError.

    Args:
        launch: this process's place. Default: torchrun's variables.

    Raises:
        ValueError: if the number of processes is not `num_processes`, or a machine has fewer GPUs
            than processes.
    """
    launch = launch or Launch.from_environment()
    if launch.size != config.num_processes:
        how = HOW_TO_START.format(n=config.num_processes)
        raise ValueError(f"num_processes is {config.num_processes}, but {launch.size} were started: {how}")
    if launch.size == 1:
        yield Ranks()
        return
    backend = "gloo"
    if config.device != "cpu" and torch.cuda.is_available():
        backend = "cpu:gloo,cuda:nccl"
        if launch.local_size > torch.cuda.device_count():
            raise ValueError(
                f"{launch.local_size} processes on a machine with {torch.cuda.device_count()} GPUs: each needs its "
                "own; choose a smaller num_processes, or device 'cpu'"
            )
        torch.cuda.set_device(launch.local_rank)
    dist.init_process_group(
        backend, init_method=launch.rendezvous, rank=launch.rank, world_size=launch.size, timeout=launch.timeout
    )
    try:
        yield Ranks(launch.rank, launch.size)
        dist.all_reduce(torch.zeros(1))  # no process leaves while another still reads
    finally:
        dist.destroy_process_group()
