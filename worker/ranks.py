"""The further processes of a job with `num_processes` > 1. The trainer starts and ends them.

Those of a job over several machines are started by torchrun (worker/agent.py). The others belong to
the trainer's process group and die with it. They hold no lease and record nothing. When one of them
fails, the trainer ends too. Its supervisor then requeues the job, which resumes from its last
checkpoint.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import torch
import torch.distributed as dist

from colt_core.config import PretrainConfig
from colt_core.distributed import Launch, process_group
from worker.child import WorkBrokeOff
from worker.handover import PARENT, SCRATCH

RANK_LOST = 70  # the trainer's exit code
LOOK_SECONDS = 0.5
TIMEOUT_OVER_HOSTS = timedelta(seconds=300)
_ID_BYTES = 64

log = logging.getLogger("worker")


@contextmanager
def joined_ranks(config: PretrainConfig, job_id: str, checkpoint_id: str | None) -> Iterator[None]:
    """Start and watch the job's other processes. This process is rank 0 until the context ends.

    Args:
        config: the job's configuration.
        job_id: the job.
        checkpoint_id: the checkpoint that the job resumes from; None for a start from scratch.

    Raises:
        WorkBrokeOff: when a rank on another machine is lost.
    """
    if config.num_processes == 1:
        yield
        return
    if config.num_hosts > 1:
        with process_group(config, launch_over_hosts()):
            tell_checkpoint(checkpoint_id)
            try:
                yield
            except RuntimeError as error:
                if "by peer" not in str(error):
                    raise
                raise WorkBrokeOff("A process on another machine ended, or its connection did") from error
        torch.set_num_threads(torch.get_num_threads() * config.processes_per_host)  # the others on this machine end
        return
    threads = torch.get_num_threads()
    share = max(1, threads // config.num_processes)
    environment = {**os.environ, PARENT: str(os.getpid()), "OMP_NUM_THREADS": str(share)}
    if sys.platform == "linux":  # all ranks are on this machine, so only loopback is used
        environment["GLOO_SOCKET_IFNAME"] = os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    others = [
        subprocess.Popen(
            [sys.executable, "-m", "worker.rank", job_id, str(rank), checkpoint_id or "-"], env=environment
        )
        for rank in range(1, config.num_processes)
    ]
    ended = Event()
    watch = Thread(target=_end_with, args=(others, ended), name="ranks", daemon=True)
    watch.start()
    torch.set_num_threads(share)
    try:
        with process_group(config, launch(0, config.num_processes)):
            try:
                yield
            finally:  # first, since exits of the others after this are no failures
                ended.set()
                watch.join()
    finally:
        ended.set()
        for process in others:
            process.kill()
            process.wait()
        torch.set_num_threads(threads)


def launch(rank: int, size: int) -> Launch:
    """The launch settings of a rank.

    Ranks find each other by a file in the trainer's scratch folder, which is new for each attempt.
    """
    return Launch(rank, size, rank, size, rendezvous=f"file://{Path(os.environ[SCRATCH]).resolve() / 'ranks'}")


def launch_over_hosts() -> Launch:
    """The launch settings of a rank that torchrun has started."""
    return replace(Launch.from_environment(), timeout=TIMEOUT_OVER_HOSTS)


def tell_checkpoint(checkpoint_id: str | None) -> str | None:
    """Rank 0's checkpoint, on every rank of the group. None: the run starts from scratch."""
    said = (checkpoint_id or "").encode().ljust(_ID_BYTES, b"\0")
    told = torch.tensor(list(said), dtype=torch.uint8)
    dist.broadcast(told, src=0)
    return bytes(told.tolist()).rstrip(b"\0").decode() or None


def _end_with(others: list[subprocess.Popen[bytes]], ended: Event) -> None:
    """End this process when another fails. In a collective call it might wait long for that one."""
    while not ended.wait(LOOK_SECONDS):
        for rank, process in enumerate(others, start=1):
            if process.poll() not in (None, 0):
                log.error("rank %d of this job's processes ended with code %s", rank, process.returncode)
                os._exit(RANK_LOST)
