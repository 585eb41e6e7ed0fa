"""Doing a waiting row's work with the real processes, as the worker's tasks do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from store.models import Leased
from worker.claiming import take
from worker.folder import WorkerFolder
from worker.supervisor import supervise


def work_off(home: Path, model: type[Leased]) -> None:
    """Claim the oldest waiting row and supervise its process to the end."""
    with one_worker(home) as work:
        work(model)


@contextmanager
def one_worker(home: Path) -> Iterator[Callable[..., None]]:
    """The same, for one row of a table after another by one worker."""
    folder = WorkerFolder(home, "me")

    def work(model: type[Leased], threads: int | None = None) -> None:
        lease = take(model, folder.worker_id)
        assert lease is not None
        supervise(lease, folder, threads)
        assert list((folder.path / "scratch").iterdir()) == []

    with folder.create():
        yield work
    folder.remove()
