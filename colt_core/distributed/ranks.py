"""This process's place among those of a run, and its rows of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.distributed as dist

from colt_core.config import PretrainConfig

HOW_TO_START = "start the run with 'torchrun --nproc-per-node {n} -m colt_core train ...'"


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process's `rank` (0..size-1) among `size`. A single process uses no collective."""

    rank: int = 0
    size: int = 1

    @classmethod
    def of(cls, config: PretrainConfig) -> Ranks:
        """This process's place in the group that it has joined; see `process_group`.

        Raises:
            ValueError: if the configuration needs several processes and there is no group of that
                size.
        """
        if config.num_processes == 1:
            return cls()
        joined = dist.get_world_size() if dist.is_initialized() else 0
        if joined != config.num_processes:
            found = f"is one of {joined}" if joined else "is alone, outside of colt_core.process_group"
            how = HOW_TO_START.format(n=config.num_processes)
            raise ValueError(f"num_processes is {config.num_processes}, but this process {found}: {how}")
        return cls(dist.get_rank(), joined)

    def shard(self, count: int) -> slice:
        """This rank's rows out of `count`."""
        return self.shards(count)[self.rank]

    def shards(self, count: int) -> list[slice]:
        """Every rank's rows out of `count`.

        Shards are contiguous, and each row is in exactly one. Their sizes differ by at most one.

        With fewer rows than ranks, the last ranks have none.
        """
        each, more = divmod(count, self.size)
        bounds = [rank * each + min(rank, more) for rank in range(self.size + 1)]
        return [slice(begin, end) for begin, end in pairwise(bounds)]

    def broadcast_bool(self, answer: bool) -> bool:
        """Rank 0's answer, on every rank."""
        if self.size == 1:
            return answer
        received = torch.tensor([answer], dtype=torch.uint8)
        dist.broadcast(received, src=0)
        return bool(received)

    def check_same(self, *numbers: int) -> None:
        """Raise RuntimeError unless the numbers are the same on every rank."""
        if self.size == 1:
            return
        mine = torch.tensor(numbers, dtype=torch.int64)
        theirs = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(theirs, mine)
        if any(not torch.equal(mine, others) for others in theirs):
            found = "; ".join(str(others.tolist()) for others in theirs)
            raise RuntimeError(f"the processes are not at the same point of one run: {found}")


ALONE = Ranks()
