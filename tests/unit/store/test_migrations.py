"""Migrations on both engines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, MetaData, Table, insert, inspect, select

from store.database import build_engine, reading, writing
from store.migrate import alembic_config, current, head, upgrade
from store.models import Analysis, Base, Checkpoint, Evaluation, Job, SamplingRound
from store.repositories import jobs


@pytest.fixture
def empty_engine(empty_database_url: str) -> Iterator[Engine]:
    engine = build_engine(empty_database_url)
    yield engine
    engine.dispose()


def test_upgrade_from_empty_makes_every_table(empty_engine: Engine) -> None:
    assert current(empty_engine) is None
    upgrade(empty_engine)
    assert current(empty_engine) == head()
    assert set(inspect(empty_engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


def test_upgrading_again_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    assert current(engine) == head()


def test_the_models_say_nothing_that_the_migrations_do_not(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_foreign_keys_are_enforced_again_after_an_upgrade(tmp_path: Path) -> None:
    engine = build_engine(f"sqlite:///{tmp_path}/colt.db")
    upgrade(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    engine.dispose()


NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
# Rows that revision 0001 could hold, those that others refer to first.
FIRST_RELEASE: dict[str, dict[str, Any]] = {
    "datasets": {"id": "d", "name": "digits", "status": "ready", "spec": {}, "progress": 1.0, "attempts": 1},
    "jobs": {
        "id": "j",
        "name": "old",
        "tags": ["a"],
        "dataset_id": "d",
        "config": {"epochs": 3},
        "framework": "simclr",
        "sampler": "none",
        "evaluations": ["knn"],
        "status": "succeeded",
        "epoch": 3,
        "epochs": 3,
        "step": 30,
        "steps": 30,
        "attempts": 1,
    },
    "checkpoints": {"id": "c", "job_id": "j", "epoch": 3, "step": 30, "artifact": "a", "bytes": 1, "sha256": "0"},
    "evaluations": {
        "id": "e",
        "job_id": "j",
        "checkpoint_id": "c",
        "kind": "knn",
        "config": {},
        "status": "succeeded",
        "epoch": 3,
        "group_accuracy": {"many": 0.5},
        "attempts": 1,
    },
    "sampling_rounds": {
        "job_id": "j",
        "round": 1,
        "epoch": 2,
        "step": 10,
        "clusters": [],
        "num_selected": 5,
        "seconds": 0.5,
        **dict.fromkeys(("ood_tailness", "ood_cluster", "ood_similarity", "ood_selected", "id_cluster"), b""),
    },
}


def test_rows_of_the_first_release_outlive_an_upgrade(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
        for name, values in FIRST_RELEASE.items():
            table = Table(name, MetaData(), autoload_with=connection)
            dated = {"created_at": NOW} if "created_at" in table.columns else {}
            connection.execute(insert(table).values(**dated, **values))
    assert current(empty_engine) == "0001"
    upgrade(empty_engine)
    with reading(empty_engine) as session:
        job, checkpoint = session.get_one(Job, "j"), session.get_one(Checkpoint, "c")
        assert (job.name, job.config, job.tags, job.created_at) == ("old", {"epochs": 3}, ["a"], NOW)
        assert (checkpoint.job_id, checkpoint.step) == ("j", 30)
        assert session.get_one(Evaluation, "e").group_accuracy == {"many": 0.5}
        sampling_round = session.get_one(SamplingRound, ("j", 1))
        assert (sampling_round.num_selected, sampling_round.num_embedded, job.compute) == (5, None, None)
    with writing(empty_engine) as session:
        session.add(Analysis(job_id="j", checkpoint_id="c", kind="tail_share", config={}, epoch=3))
    with writing(empty_engine) as session:
        assert jobs.remove(session, "j")
        assert session.scalars(select(Analysis)).all() == [], "an analysis goes with its job"
