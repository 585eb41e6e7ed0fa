"""Work done by this process's own supervisor, whose programs start in milliseconds."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from store.models import leased_models
from store.settings import get_settings
from tests.support.settings import settings_of
from tests.support.stack import Stack
from worker import programs
from worker.claiming import take
from worker.folder import WorkerFolder
from worker.supervisor import supervise

FORKING = multiprocessing.get_context("forkserver")  # what it preloads is said by `programs`
LONGEST = 300.0  # seconds of one piece of work


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
                            supervise(lease, folder)
        except BaseException as error:
            failures.append(error)

    with settings_of(stack.env):
        programs.prepare(get_settings())
        thread = threading.Thread(target=work, name="forked worker")
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(LONGEST)
    assert not thread.is_alive() and not failures, failures
