"""Joining the processes of a run, as torchrun or the service starts them."""

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

# The others wait for rank 0 while it clusters, or writes a checkpoint to a slow store.
TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Launch:
    """What whoever started the processes says of this one; `local_*` counts those of the same machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    rendezvous: str = "env://"  # where the processes find each other, a URL that torch.distributed knows

    @classmethod
    def from_environment(cls) -> Launch:
        """What torchrun says. A process that it did not start is alone."""

        def said(name: str, otherwise: int) -> int:
            return int(os.environ.get(name, otherwise))

        return cls(said("RANK", 0), said("WORLD_SIZE", 1), said("LOCAL_RANK", 0), said("LOCAL_WORLD_SIZE", 1))


@contextmanager
def process_group(config: PretrainConfig, launch: Launch | None = None) -> Iterator[Ranks]:
    """Be one of the processes of a run while the context lasts; alone, with `num_processes` 1, nothing is set up.

    All of them call `pretrain` inside, with the same arguments, and take all of its events; a file is written by one
    (`ranks.rank == 0`). On GPUs, tensors travel by nccl and each process has the GPU of its `local_rank`; on a CPU by
    gloo. Once a process dies the others' next collective raises RuntimeError.

    Args:
        launch: by default what torchrun says.

    Raises:
        ValueError: if the processes are not `num_processes`, or a machine has fewer GPUs than processes.
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
        backend, init_method=launch.rendezvous, rank=launch.rank, world_size=launch.size, timeout=TIMEOUT
    )
    try:
        yield Ranks(launch.rank, launch.size)
        dist.all_reduce(torch.zeros(1))  # nobody hangs up on one who still reads
    finally:
        dist.destroy_process_group()
