"""What killed processes left behind: files that no row names, and processes that work for
nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import select

from store.database import reading
from store.models import Checkpoint, Dataset, OodPool, RoundScores
from tests.support.files import files_under, matching
from tests.support.runs import Service, engine_of, working

PATIENCE = 60.0
WORKING = {"worker.trainer", "worker.registrar", "worker.examiner", "worker.rank"}


def artifacts_folder(service: Service) -> Path:
    return Path(service.stack.env.get("COLT_ARTIFACTS_URL") or service.stack.home / "artifacts")


def homes(service: Service) -> set[Path]:
    """The data folder of each machine."""
    return {Path(process.env["COLT_HOME"]) for process in service.stack.processes}


def assert_nothing_left(service: Service) -> None:
    """The clean-up has done its work: each file is one that a row names, and nobody works."""
    _none(lambda: sorted(_stray_artifacts(service)), "stray artifacts")
    _none(lambda: sorted(_stray_local_files(service)), "stray files in a data folder")
    _none(lambda: [" ".join(line) for _, line in working(service.stack) if WORKING & set(line)], "orphan processes")


def _none(look: Callable[[], list[str]], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while left := look():
        assert time.monotonic() < deadline, f"{what}: {left}"
        time.sleep(0.1)


def _stray_artifacts(service: Service) -> Iterator[str]:
    root = artifacts_folder(service)
    with engine_of(service.stack) as engine, reading(engine) as session:
        named = {
            f"{artifact}/{name}"
            for artifact in session.scalars(select(Checkpoint.artifact))
            for name in ("checkpoint.pt", "backbone.safetensors")
        }
        named |= {file for file in session.scalars(select(RoundScores.file)) if file is not None}
        for model in (Dataset, OodPool):
            for row in session.scalars(select(model).where(model.status == "ready")):
                assert row.files
                named |= {f"{row.artifact}/{name}" for name in row.files}
    found = {path.relative_to(root).as_posix() for path in files_under(root)}
    assert named <= found, f"rows name files that are not there: {sorted(named - found)}"
    yield from found - named


def _stray_local_files(service: Service) -> Iterator[str]:
    for home in homes(service):
        yield from (str(path) for path in matching(home, "broker/*.partial"))
        yield from (str(path) for path in matching(home, "workers/*/scratch/*"))
        folders = matching(home, "workers/*")
        living = sum(Path(worker.env["COLT_HOME"]) == home for worker in service.stack.workers)
        if len(folders) > living:
            yield from (str(path) for path in folders)
