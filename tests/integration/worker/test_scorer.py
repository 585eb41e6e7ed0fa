"""The program that scores unseen images stays for more, one at a time, and not without end."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from store.artifacts import get_artifacts
from store.database import reading, writing
from store.models import Checkpoint, Evaluation, Score, Upload, new_id
from store.repositories import checkpoint_work
from tests.integration.worker.test_examiner import checkpoint as checkpoint
from tests.support.processes import wait_until
from worker.claiming import take
from worker.folder import WorkerFolder
from worker.standing import Standing
from worker.supervisor import supervise

IMAGES = np.random.default_rng(5).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def folder(home: Path) -> Iterator[WorkerFolder]:
    folder = WorkerFolder(home, "me")
    with folder.create():
        yield folder
    folder.remove()


def score(
    checkpoint: Checkpoint, folder: WorkerFolder, standing: Standing | None, content: bytes | None = None
) -> Score:
    """Have images scored. Returns the row."""
    if content is None:
        file = io.BytesIO()
        np.savez(file, images=IMAGES)
        content = file.getvalue()
    upload_id = new_id()
    stored = get_artifacts().write(f"uploads/{upload_id}/a.npz", [content])
    with writing() as session:
        artifact = f"uploads/{upload_id}/a.npz"
        session.add(Upload(id=upload_id, filename="a.npz", bytes=stored.bytes, sha256=stored.sha256, artifact=artifact))
        row_id = checkpoint_work.add(session, Score, checkpoint, {"kind": "score"}, subject={"upload_id": upload_id}).id
    lease = take(Score, folder.worker_id)
    assert lease is not None and lease.id == row_id
    supervise(lease, folder, None, standing)
    assert not list((folder.path / "scratch").iterdir())
    assert not list((folder.path.parents[1] / "artifacts").glob("uploads/*/*"))  # scored or not, it is gone
    with reading() as session:
        row = session.get_one(Score, row_id)
        _ = row.scores, row.refused  # deferred
    return row


def waiting() -> list[psutil.Process]:
    """The programs of this test process that wait for more."""
    children = psutil.Process().children(recursive=True)
    return [
        child for child in children if child.is_running() and child.cmdline()[-1:] == ["worker.scorer score waiting"]
    ]


def test_one_program_scores_again_and_again(checkpoint: Checkpoint, folder: WorkerFolder) -> None:
    standing = Standing(600)
    first = score(checkpoint, folder, standing)
    assert first.status == "succeeded" and first.refused == []
    assert [item["name"] for item in first.scores or []] == ["images[0]", "images[1]", "images[2]"]
    (process,) = waiting()
    assert score(checkpoint, folder, standing).scores == first.scores
    assert waiting() == [process]

    # After a failure it ends, and the next one is a new process.
    refused = score(checkpoint, folder, standing, b"no archive")
    assert refused.status == "failed" and refused.error is not None and "not a zip" in refused.error
    assert waiting() == []
    assert score(checkpoint, folder, standing).scores == first.scores

    # One that was killed while it waits costs nothing.
    (process,) = waiting()
    process.kill()
    process.wait(10)
    again = score(checkpoint, folder, standing)
    assert (again.scores, again.faults) == (first.scores, 0)
    assert standing.take(Evaluation) is None and waiting() == []  # it is for scores alone


def test_it_ends_after_its_time_and_with_its_worker(checkpoint: Checkpoint, folder: WorkerFolder) -> None:
    score(checkpoint, folder, Standing(0))
    score(checkpoint, folder, None)
    assert waiting() == []
    short, long = Standing(0.2), Standing(600)
    score(checkpoint, folder, short)
    wait_until(lambda: not waiting(), 60, "its time is over")
    assert short.take(Score) is None
    score(checkpoint, folder, long)
    assert len(waiting()) == 1
    long.end()
    assert waiting() == []
