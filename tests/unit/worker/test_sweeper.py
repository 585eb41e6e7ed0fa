from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from store.database import reading, writing
from store.models import ApiSession, Job
from store.repositories import sessions, tokens
from store.settings import get_settings
from tests.support.rows import add_dataset, add_job
from worker.folder import WorkerFolder
from worker.sweeper import Sweeper

Leave = Callable[[str], Path]


@pytest.fixture
def leave(home: Path) -> Leave:
    """Makes a file in the data folder that nobody has touched for long."""

    def make(name: str) -> Path:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
        long_ago = time.time() - 2 * get_settings().orphan_seconds
        os.utime(path, (long_ago, long_ago))
        return path

    return make


def test_a_sweep_removes_sessions_that_are_over_and_keys_of_long_ago(configured: Engine, home: Path) -> None:
    dataset = add_dataset(configured, status="ready")
    old, young = (add_job(configured, dataset, idempotency_key=key) for key in ("old", "young"))
    day = dt.timedelta(seconds=get_settings().idempotency_seconds)
    with writing() as session:
        session.get_one(Job, old.id).created_at -= day
        tokens.create_token(session, "t", ["read"])
        token = tokens.every(session)[0]
        sessions.begin(session, token.id, -1)
        kept = sessions.begin(session, token.id, 600)
    Sweeper(WorkerFolder(home, "me")).once()
    with reading() as session:
        assert session.get_one(Job, old.id).idempotency_key is None
        assert session.get_one(Job, young.id).idempotency_key == "young"
        assert session.query(ApiSession).count() == 1 and sessions.find(session, kept) is not None


def test_a_sweep_removes_what_is_old_and_nobodys(configured: Engine, home: Path, leave: Leave) -> None:
    artifact = add_dataset(configured, status="ready").artifact
    kept = [
        leave(f"artifacts/{artifact}/images.npy"),
        leave(f"cache/{artifact}/images.npy"),
        leave("broker/1_2.colt.msg"),
        leave("logs/worker.log"),
    ]
    young = home / "broker" / "young.partial"
    young.write_bytes(b"half")
    gone = [
        leave("artifacts/datasets/deleted/images.npy"),
        leave("broker/3_4.partial"),
        leave("cache/datasets/deleted-elsewhere/images.npy"),
        leave(f"cache/{artifact}.{32 * 'a'}.partial/images.npy"),
        leave(f"cache/jobs/j/checkpoints/1-2-0-a/checkpoint.pt.{32 * 'a'}.partial"),
    ]
    Sweeper(WorkerFolder(home, "me")).once()
    assert [path for path in gone if path.exists()] == []
    assert all(path.exists() for path in [*kept, young])
