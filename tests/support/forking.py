"""Processes forked off one that has imported torch, and never used it: they start in milliseconds.

For tests that are not about starting them. A working program runs unchanged, from its `__main__`
on, with the environment, scratch folder and log that a supervisor would give it. Nobody renews its
lease, or settles its row.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from store.leases import Lease
from store.models import Leased, leased_models
from store.settings import get_settings
from tests.support.settings import forget_settings, settings_of
from tests.support.stack import Stack
from worker.app import command
from worker.claiming import take
from worker.folder import WorkerFolder
from worker.handover import PARENT, handed_over

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.support.preloaded"])

LONGEST = 300.0  # seconds of one piece of work


def work_off_forked(home: Path, model: type[Leased]) -> None:
    """Claim the oldest waiting row, and have its program run to its end."""
    folder = WorkerFolder(home, "me")
    with folder.create():
        lease = take(model, folder.worker_id)
        assert lease is not None
        _run(lease, folder, os.environ)
    folder.remove()


@contextmanager
def forked_worker(stack: Stack) -> Iterator[None]:
    """Do all that waits in a stack without workers, one after the other, until the context ends."""
    assert not stack.workers
    stopping = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        folder = WorkerFolder(get_settings().home, "forking")
        try:
            with folder.create():
                while not stopping.wait(0.05):
                    for model in leased_models():
                        while lease := take(model, folder.worker_id):
                            _run(lease, folder, stack.env)
        except BaseException as error:
            failures.append(error)

    with settings_of(stack.env):
        thread = threading.Thread(target=work, name="forked worker")
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(LONGEST)
    assert not thread.is_alive() and not failures, failures


def _run(lease: Lease, folder: WorkerFolder, environment: Mapping[str, str]) -> None:
    table = lease.model.__tablename__
    log = get_settings().home / "logs" / table / f"{lease.id}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.scratch(lease.token)
    handed = {**environment, **handed_over(lease, scratch=scratch, digests=folder.digests)}
    process = FORKING.Process(target=_program, args=(*command(lease), handed, log))
    process.start()
    try:
        process.join(LONGEST)
        assert process.exitcode is not None, f"{table} {lease.id} does not end"
    finally:
        process.kill()
        process.join()
        process.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _program(module: str, arguments: list[str], environment: dict[str, str], log: Path) -> None:
    os.setpgid(0, 0)
    with log.open("ab") as output:
        for number in (1, 2):
            os.dup2(output.fileno(), number)
    os.environ.clear()
    os.environ.update(environment)
    os.environ[PARENT] = str(os.getppid())
    forget_settings()
    sys.argv = [module, *arguments]
    sys.modules.pop(module, None)
    runpy.run_module(module, run_name="__main__")
