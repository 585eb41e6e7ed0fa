"""Migrations on both engines."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, Table, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError

from colt_core.config import PretrainConfig
from store import leases
from store.database import build_engine, reading, writing
from store.migrate import DatabaseIsNewer, alembic_config, check_not_newer, current, head, upgrade
from store.models import (
    Analysis,
    Base,
    Checkpoint,
    Dataset,
    Evaluation,
    ExperimentRun,
    Job,
    JobEvent,
    OodPool,
    RoundScores,
    SamplingRound,
    Upload,
)
from store.repositories import attempts, jobs, recording, registrations, tokens, uploads
from store.statuses import AttemptOutcome


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
LEASED = {"attempts": 1, "worker_id": "w"}
PACKED = dict.fromkeys(("ood_tailness", "ood_cluster", "ood_similarity", "ood_selected", "id_cluster"), b"\x01\x02")
# Rows that each revision could hold, those that others refer to first; a later one adds to the
# earlier.
ROWS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "0001": [
        ("api_tokens", {"id": "t", "name": "alice", "sha256": "0", "scopes": ["read"]}),
        ("uploads", {"id": "u", "filename": "a.npz", "bytes": 2**40, "sha256": "0", "artifact": "uploads/u"}),
        ("workers", {"id": "w", "started_at": NOW, "heartbeat_at": NOW}),
        (
            "datasets",
            {
                "id": "d",
                "name": "digits",
                "status": "ready",
                "spec": {"a": [1]},
                "progress": 1.0,
                "class_counts": [3, 1],
            }
            | LEASED,
        ),
        ("ood_pools", {"id": "p", "name": "glyphs", "status": "ready", "spec": {}, "progress": 1.0, **LEASED}),
        *(
            (
                "jobs",
                {
                    "id": status,
                    "name": f"old, {status}",
                    "tags": ["a", "ü"],
                    "dataset_id": "d",
                    "ood_pool_id": "p",
                    "config": {"epochs": 3},
                    "framework": "simclr",
                    "sampler": "none",
                    "evaluations": ["knn"],
                    "status": status,
                    "lease_token": "held" if status == "running" else None,
                    "lease_expires_at": NOW if status == "running" else None,
                    "epoch": 3,
                    "epochs": 3,
                    "step": 30,
                    "steps": 30,
                    "loss": 0.1,
                    "started_at": NOW,
                    "idempotency_key": f"key of {status}",
                    **LEASED,
                },
            )
            for status in ("succeeded", "running", "cancelled", "queued")
        ),
        (
            "checkpoints",
            {"id": "c", "job_id": "succeeded", "epoch": 3, "step": 30, "artifact": "a", "bytes": 2**33, "sha256": "0"},
        ),
        (
            "evaluations",
            {
                "id": "e",
                "job_id": "succeeded",
                "checkpoint_id": "c",
                "kind": "knn",
                "config": {},
                "status": "succeeded",
                "epoch": 3,
                "group_accuracy": {"many": 0.5},
                **LEASED,
            },
        ),
        ("metrics", {"job_id": "succeeded", "name": "loss", "step": 1, "value": 0.1 + 0.2}),
        ("job_events", {"id": 7, "job_id": "succeeded", "kind": "log", "data": {"lines": ["a"]}}),
        ("tailness_epochs", {"job_id": "succeeded", "epoch": 1, "class_means": [0.5, None], "scores": b"\x00\xff"}),
        (
            "sampling_rounds",
            {
                "job_id": "succeeded",
                "round": 1,
                "epoch": 2,
                "step": 10,
                "clusters": [],
                "num_selected": 5,
                "seconds": 0.5,
            }
            | PACKED,
        ),
    ],
    "0002": [
        (
            "analyses",
            {
                "id": "a",
                "job_id": "succeeded",
                "checkpoint_id": "c",
                "kind": "tail_share",
                "config": {},
                "status": "succeeded",
                "epoch": 3,
                "result": {"gamma": [1]},
                **LEASED,
            },
        ),
    ],
    "0003": [
        (
            "sampling_rounds",
            {
                "job_id": "succeeded",
                "round": 2,
                "epoch": 3,
                "step": 20,
                "clusters": [],
                "num_selected": 5,
                "seconds": 0.5,
                "num_embedded": 9,
                **PACKED,
            },
        ),
    ],
    "0004": [
        (
            "job_attempts",
            {"job_id": "succeeded", "number": 1, "worker_id": "w", "started_at": NOW, "outcome": "succeeded"},
        ),
    ],
    "0009": [
        (
            "evaluations",
            {
                "id": "f",
                "job_id": "succeeded",
                "checkpoint_id": "c",
                "kind": "retrieval",
                "config": {},
                "status": "succeeded",
                "epoch": 3,
                "result": {"mean_average_precision": 0.5},
                **LEASED,
            },
        ),
    ],
    "0010": [
        (
            "ood_pools",
            {
                "id": "scanned",
                "name": "letters",
                "status": "ready",
                "spec": {"a": [1]},
                "progress": 1.0,
                "layout": "folders",
                "warnings": [{"code": "blank", "detail": "One image is blank.", "count": 1, "examples": [7]}],
                **LEASED,
            },
        ),
    ],
    "0011": [
        (
            "evaluations",
            {
                "id": "g",
                "job_id": "succeeded",
                "checkpoint_id": "c",
                "kind": "linear",
                "config": {},
                "status": "succeeded",
                "epoch": 3,
                "probe": {"images": 3, "images_per_class": [2, 1], "shots": None},
                "warnings": [{"code": "few_test_images", "detail": "...", "count": 1, "examples": ["a"]}],
                **LEASED,
            },
        ),
        (
            "datasets",
            {"id": "counted", "name": "digits", "status": "ready", "spec": {}, "progress": 1.0, "probe_counts": [2, 1]}
            | LEASED,
        ),
    ],
    "0012": [
        (
            "jobs",
            {
                "id": "further",
                "name": "more epochs",
                "tags": [],
                "notes": "Why: the tail.",
                "dataset_id": "d",
                "evaluation_dataset_id": "d",
                "start_checkpoint_id": "c",
                "start_from": {"checkpoint_id": "c", "job_id": "succeeded", "epoch": 3},
                "config": {"epochs": 3},
                "framework": "simclr",
                "sampler": "none",
                "evaluations": ["knn"],
                "status": "failed",
                "epochs": 3,
                "epoch": 0,
                "step": 0,
                "steps": 0,
                "few": 0.25,
                **LEASED,
            },
        ),
        (
            "workers",
            {"id": "gpu", "started_at": NOW, "heartbeat_at": NOW, "devices": {"cpu_cores": 8, "cuda": ["H200"]}},
        ),
    ],
    "0013": [
        (
            "datasets",
            {
                "id": "listed",
                "name": "digits",
                "status": "ready",
                "spec": {"long_tail": {"profile": "indices", "indices": {"count": 2, "sha256": "0"}}},
                "indices": "7\n0\n",
                "progress": 1.0,
            }
            | LEASED,
        ),
        (
            "curve_buckets",
            {"job_id": "succeeded", "width": 16, "name": "loss", "bucket": 0, "points": 2}
            | {"first_step": 1, "last_step": 3, "low_step": 1, "high_step": 3}
            | {"first": 0.1, "last": 0.3, "low": 0.1, "high": 0.3},
        ),
    ],
    "0014": [
        ("api_tokens", {"id": "gone", "name": "bob", "sha256": "1", "scopes": ["read"], "revoked_at": NOW}),
        ("api_sessions", {"id": "s", "sha256": "0", "token_id": "t", "expires_at": NOW}),
        (
            "uploads",
            {"id": "used", "filename": "a.npz", "bytes": 1, "sha256": "0", "artifact": "uploads/used", "used_at": NOW},
        ),
    ],
    "0015": [
        ("known_devices", {"sha256": "0", "devices": {"cpu_cores": 8, "cuda": ["H200"]}, "seen_at": NOW}),
        ("measured_activations", {"encoder": "{}", "per_view": 1.5, "fixed": 0.0, "measured_at": NOW}),
        (
            "jobs",
            {
                "id": "estimated",
                "name": "with an estimate",
                "tags": [],
                "notes": "",
                "dataset_id": "d",
                "config": {"epochs": 3},
                "framework": "simclr",
                "sampler": "none",
                "evaluations": [],
                "estimate": {"memory_bytes": 2**40},
                "status": "failed",
                "epochs": 3,
                "epoch": 0,
                "step": 0,
                "steps": 0,
                **LEASED,
            },
        ),
    ],
    "0016": [
        (
            "ood_pools",
            {
                "id": "in turn",
                "name": "letters",
                "status": "ready",
                "spec": {},
                "progress": 1.0,
                "submitter": "t",
                "turn_from": 2**40,
                "turn": 2**41,
                "is_large": True,
                "request_sha256": "0",
                **LEASED,
            },
        ),
    ],
    "0017": [
        (
            "backbones",
            {
                "id": "b",
                "name": "resnet",
                "status": "ready",
                "spec": {"source": {"kind": "random", "seed": 0}},
                "progress": 1.0,
                "matched_share": 0.1 + 0.2,
                "names": {"prefix": "module.", "matched": ["conv1.weight"]},
                **LEASED,
            },
        ),
        (
            "evaluations",
            {"id": "h", "backbone_id": "b", "dataset_id": "d", "kind": "knn", "config": {}, "status": "succeeded"}
            | LEASED,
        ),
    ],
    "0018": [
        (
            "experiments",
            {
                "id": "compared",
                "name": "with and without",
                "template": "did-it-help",
                "dataset_ids": ["d"],
                "ood_pool_id": "p",
                "seeds": [0, 2**31 - 1],
                "evaluations": ["linear"],
                "baseline": "none",
                "protocol": "why: the tail",
            },
        ),
        (
            "experiment_arms",
            {"experiment_id": "compared", "position": 0, "name": "none", "config": {"epochs": 3}, "train_on": ["d"]},
        ),
        ("experiment_arms", {"experiment_id": "compared", "position": 1, "name": "a net", "backbone_id": "b"}),
        (
            "experiment_runs",
            {"experiment_id": "compared", "arm": 0, "dataset_id": "d", "seed": 2**31 - 1, "job_id": "succeeded"},
        ),
    ],
    "0019": [
        (
            "pool_checks",
            {
                "id": "k",
                "job_id": "succeeded",
                "checkpoint_id": "c",
                "ood_pool_id": "p",
                "dataset_id": "d",
                "kind": "pool_check",
                "config": {"kind": "pool_check", "budget": 3},
                "status": "succeeded",
                "epoch": 3,
                "result": {"verdict": "useful"},
                **LEASED,
            },
        ),
    ],
    "0020": [
        (
            "jobs",
            {
                "id": "shared",
                "name": "with the beginning of another",
                "tags": [],
                "notes": "",
                "dataset_id": "d",
                "config": {"epochs": 3},
                "framework": "simclr",
                "sampler": "colt",
                "evaluations": [],
                "beginning": "0",
                "beginning_job_id": "succeeded",
                "status": "failed",
                "epochs": 3,
                "epoch": 0,
                "step": 0,
                "steps": 0,
                **LEASED,
            },
        ),
    ],
    "0021": [
        ("sending_leases", {"receiver": "mlflow", "token": "t", "expires_at": NOW}),
        (
            "mirrored_jobs",
            {
                "target": "mlflow",
                "job_id": "succeeded",
                "event_id": 2**40,
                "step": 30,
                "round": 2,
                "packet": "{}",
                "state": {"run_id": "r"},
                "faults": 1,
                "retry_at": NOW,
            },
        ),
        (
            "deliveries",
            {
                "id": "n",
                "event": "job.failed",
                "subject_id": "gone",
                "body": "{}",
                "key": "k",
                "attempts": 2,
                "retry_at": NOW,
            },
        ),
    ],
    "0022": [
        (
            "sampling_rounds",
            {
                "job_id": "succeeded",
                "round": 3,
                "epoch": 4,
                "step": 30,
                "clusters": [{"size": 1}],
                "num_selected": 1,
                "seconds": 0.5,
                "stop": {"similarity": 0.25, "reference": 0.5, "share": 0.95},
                "nearest": b"\x07\x00\x00\x00",
                "nearest_similarity": b"\x00\x3c",
                **PACKED,
            },
        ),
    ],
    "0023": [
        (
            "scores",
            {
                "id": "s",
                "job_id": "succeeded",
                "checkpoint_id": "c",
                "kind": "score",
                "config": {"kind": "score", "keep_upload": False},
                "status": "succeeded",
                "epoch": 3,
                "round": 2,
                "upload_id": "gone",
                "upload_removed": True,
                "scores": [{"index": 0, "name": "a.png", "tailness": -0.5}],
                "refused": [],
                **LEASED,
            },
        ),
    ],
    "0024": [
        (
            "exports",
            {
                "id": "x",
                "job_id": "succeeded",
                "checkpoint_id": "c",
                "kind": "onnx",
                "config": {"kind": "onnx"},
                "status": "succeeded",
                "epoch": 3,
                "artifact": "jobs/succeeded/exports/x/t/onnx.onnx",
                "bytes": 2**40,
                "sha256": "0",
                "result": {"kind": "onnx", "opset": 17},
                **LEASED,
            },
        ),
    ],
    "0025": [
        (
            "analyses",
            {
                "id": "i",
                "backbone_id": "b",
                "dataset_id": "d",
                "kind": "uniformity",
                "config": {"kind": "uniformity", "seed": 0},
                "assumed": {"precision": "auto"},
                "status": "succeeded",
                "result": {"kind": "uniformity", "uniformity": -2.5},
                **LEASED,
            },
        ),
    ],
    "0026": [
        ("unfinished_uploads", {"id": "h", "filename": "a.zip", "bytes": 2**40, "arrived": 2**33, "touched_at": NOW}),
        ("upload_parts", {"upload_id": "h", "start": 0, "bytes": 2**33, "artifact": "uploads/h/parts/0-t"}),
    ],
    "0027": [
        (
            "round_scores",
            {
                "job_id": "succeeded",
                "round": 1,
                "images": 10**7,
                "file": "jobs/succeeded/rounds/1-a.scores",
                "bytes": 2**33,
                "sha256": "0",
                "picks": b"\x01\x02\x00\x00",
            },
        ),
    ],
    "0028": [
        (
            "seats",
            {
                "id": "s",
                "job_id": "running",
                "worker_id": "w",
                "address": "10.0.0.1",
                "gpus": 0,
                "facts": {},
                "leaving": False,
            },
        ),
    ],
    "0029": [
        (
            "jobs",
            {
                "id": "even",
                "name": "of even groups",
                "tags": [],
                "notes": "",
                "dataset_id": "d",
                "config": {"epochs": 3},
                "framework": "simclr",
                "sampler": "none",
                "evaluations": [],
                "status": "failed",
                "epochs": 3,
                "epoch": 0,
                "step": 0,
                "steps": 0,
                "std": 0.125,
                **LEASED,
            },
        ),
    ],
}
Contents = dict[str, list[dict[str, Any]]]


def contents(connection: Connection, columns: dict[str, list[str]] | None = None) -> Contents:
    """Every row of every table; or only these columns of these tables."""
    found: Contents = {}
    for name in columns or [name for name in inspect(connection).get_table_names() if name != "alembic_version"]:
        table = Table(name, MetaData(), autoload_with=connection)
        wanted = [table.c[column] for column in (columns[name] if columns else table.c.keys())]
        rows = connection.execute(select(*wanted).order_by(*table.primary_key.columns))
        found[name] = [dict(row._mapping) for row in rows]
    return found


def fill(connection: Connection, revision: str) -> None:
    """Rows of all kinds that a database at this revision may hold."""
    for name, values in (row for number in sorted(ROWS) if number <= revision for row in ROWS[number]):
        table = Table(name, MetaData(), autoload_with=connection)
        dated = {"created_at": NOW} if "created_at" in table.columns else {}
        connection.execute(insert(table).values(**dated, **values))


def revisions() -> list[str]:
    return sorted(script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions())


@pytest.mark.parametrize("revision", revisions())
def test_an_upgrade_from_any_revision_keeps_every_value(empty_engine: Engine, revision: str) -> None:
    with empty_engine.begin() as connection:
        command.upgrade(alembic_config(connection), revision)
        fill(connection, revision)
        before = contents(connection)
    assert all(before.values()), "every table has rows; a migration that adds one adds some to ROWS"
    assert current(empty_engine) == revision
    upgrade(empty_engine)
    assert current(empty_engine) == head()
    with empty_engine.connect() as connection:
        assert contents(connection, {name: list(rows[0]) for name, rows in before.items()}) == before
    with reading(empty_engine) as session:  # and the models can read it
        job = session.get_one(Job, "succeeded")
        assert (job.name, job.config, job.tags, job.created_at) == ("old, succeeded", {"epochs": 3}, ["a", "ü"], NOW)
        assert (job.compute, job.queued_at) == (None, None)
        evaluation = session.get_one(Evaluation, "e")
        assert (evaluation.status, evaluation.group_accuracy, evaluation.result) == ("succeeded", {"many": 0.5}, None)
        assert session.get_one(SamplingRound, ("succeeded", 1)).num_embedded is None
        assert session.get_one(Checkpoint, "c").bytes == 2**33
        assert session.get_one(Dataset, "d").artifact == "datasets/d"
        assert (evaluation.probe, evaluation.warnings, session.get_one(Dataset, "d").probe_counts) == (None, None, None)
        assert session.get_one(OodPool, "p").artifact == "ood_pools/p"
        assert [row.id for row in tokens.every(session)] == ["t"] and tokens.is_closed(session)
        assert session.get_one(Upload, "u").used_at is None and uploads.last_used(session.get_one(Upload, "u")) == NOW

    _assert_work_goes_on(empty_engine)


def _assert_work_goes_on(engine: Engine) -> None:
    """What was under way is taken up, and what is deleted goes with all that belongs to it."""
    with writing(engine) as session:
        lost = leases.expired(session, Job)
        assert [row.id for row in lost] == ["running"]
        attempts.end(session, session.get_one(Job, "running"), AttemptOutcome.WORKER_LOST)  # its start was not recorded
        lease = leases.claim(session, Job, "new", 60)
        assert lease is not None and lease.id == "queued"
        attempts.begin(session, lease.id, "new")
        assert [row.number for row in attempts.page(session, "queued", 10, None).all()[0]] == [1]
        assert attempts.page(session, "running", 10, None).all() == ([], None)
        session.add(Analysis(job_id="succeeded", checkpoint_id="c", kind="tail_share", config={}, epoch=3))
    with writing(engine) as session:
        jobs.remove(session, "further")  # from 0012 on there is this one, which needs the checkpoint
        assert jobs.remove(session, "succeeded")
        for model in (Analysis, JobEvent, Evaluation, Checkpoint, SamplingRound, RoundScores):
            left = [row for row in session.scalars(select(model)) if row.job_id is not None]
            assert left == [], f"{model.__name__} goes with its job"
        for run in session.scalars(select(ExperimentRun)):  # from 0018 on there is one
            assert run.job_id is None, "an experiment stays without its job"


@pytest.mark.parametrize("revision", ["0099", "a1b2"])
def test_a_newer_database_is_refused_and_left_as_it_is(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    for refused in (upgrade, check_not_newer):
        with pytest.raises(DatabaseIsNewer, match=f"newer than this version: it is at revision {revision}; .*{head()}"):
            refused(engine)
    assert current(engine) == revision


def test_an_empty_an_older_and_this_database_are_not_newer(empty_engine: Engine) -> None:
    check_not_newer(empty_engine)
    with empty_engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
    check_not_newer(empty_engine)
    upgrade(empty_engine)
    check_not_newer(empty_engine)


# What an earlier version stored, and what of it the run read.
CONFIGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"framework": "simclr", "sampler": "random", "prune_share": 0.5, "mak_passes": 50, "redraw": False},
        {"framework": "simclr", "sampler": "random", "redraw": False},
    ),
    (
        {"framework": "sdclr", "sampler": "none", "prune_share": 0.5, "sample_interval": 9, "sample_budget": 7},
        {"framework": "sdclr", "sampler": "none", "prune_share": 0.5, "sample_budget": 7},
    ),
    (
        {"framework": "bcl", "sampler": "mak", "bcl_variant": "I", "prune_share": 0.9, "mak_passes": 3},
        {"framework": "bcl", "sampler": "mak", "bcl_variant": "I", "mak_passes": 3},
    ),
    (
        {"framework": "bcl", "sampler": "colt", "bcl_variant": "D", "prune_share": 0.9, "match_steps": False},
        {"framework": "bcl", "sampler": "colt", "bcl_variant": "D", "prune_share": 0.9},
    ),
]
# What no version wrote is left as it is.
FOREIGN: list[dict[str, Any] | None] = [None, {}, {"framework": "vicreg", "sampler": "colt", "prune_share": 0.5}]


def test_settings_that_a_run_did_not_read_are_dropped(empty_engine: Engine) -> None:
    common = {"epochs": 30, "width": 8, "tailness_momentum": 0.5}
    expected = [
        *((stored | common, kept | common) for stored, kept in CONFIGS),
        *((config, config) for config in FOREIGN),
    ]
    with empty_engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0007")
        fill(connection, "0007")
        table = Table("jobs", MetaData(), autoload_with=connection)
        template = dict(connection.execute(select(table).where(table.c.id == "succeeded")).one()._mapping)
        for number, (stored, _) in enumerate(expected):
            row = template | {"id": str(number), "config": stored, "idempotency_key": None}
            connection.execute(insert(table).values(**row))
    upgrade(empty_engine)
    with reading(empty_engine) as session:
        found = [session.get_one(Job, str(number)).config for number in range(len(expected))]
    assert found == [kept for _, kept in expected]
    for config in found[: len(CONFIGS)]:  # and it may be submitted again
        assert PretrainConfig.resolve(config).model_dump().items() >= config.items()


def test_indices_of_a_request_move_beside_its_row(empty_engine: Engine) -> None:
    indices = [5, 0, 3]
    spec = {"source": {"kind": "sample"}, "long_tail": {"profile": "indices", "indices": indices}}
    others = {"cut": {"long_tail": {"profile": "exp", "indices": None}}, "uncut": {"long_tail": None}, "odd": {"a": 1}}
    with empty_engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0012")
        table = Table("datasets", MetaData(), autoload_with=connection)
        for row_id, asked in {"listed": spec, **others}.items():
            row = {"id": row_id, "name": row_id, "status": "registering", "spec": asked, "progress": 0.0}
            connection.execute(insert(table).values(row | LEASED | {"created_at": NOW}))
    upgrade(empty_engine)
    with reading(empty_engine) as session:
        row = registrations.asked(session, Dataset, "listed")
        digest = hashlib.sha256(b"5\n0\n3\n").hexdigest()
        assert row.spec["long_tail"]["indices"] == {"count": 3, "sha256": digest}
        assert row.request == spec  # which a worker reads
        for row_id, asked in others.items():
            assert registrations.asked(session, Dataset, row_id).request == asked
    with empty_engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0012")
        table = Table("datasets", MetaData(), autoload_with=connection)
        assert connection.scalar(select(table.c.spec).where(table.c.id == "listed")) == spec


def test_curves_get_a_thinned_copy_as_if_they_were_recorded_now(empty_engine: Engine) -> None:
    points = [(name, step, float((step * 7919) % 101)) for name in ("a", "b") for step in range(1, 2000, 3)]
    with empty_engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0012")
        fill(connection, "0012")
        table = Table("metrics", MetaData(), autoload_with=connection)
        rows = [{"job_id": "queued", "name": name, "step": step, "value": value} for name, step, value in points]
        connection.execute(insert(table), rows)
    upgrade(empty_engine)
    with writing(empty_engine) as session:
        recording.add_metrics(session, "running", points)
    with empty_engine.connect() as connection:
        buckets = Table("curve_buckets", MetaData(), autoload_with=connection)
        columns = [column for column in buckets.c if column.key != "job_id"]
        ordered = select(*columns).order_by(buckets.c.name, buckets.c.width, buckets.c.bucket)
        of_jobs = [
            connection.execute(ordered.where(buckets.c.job_id == job_id)).all() for job_id in ("queued", "running")
        ]
    assert of_jobs[0] == of_jobs[1] != []


def test_a_job_shows_the_few_accuracy_and_std_of_the_evaluation_that_it_shows(empty_engine: Engine) -> None:
    probe = {"job_id": "succeeded", "checkpoint_id": "c", "config": {}, "status": "succeeded", **LEASED}
    with empty_engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0010")
        fill(connection, "0010")
        shown, evaluations = (Table(name, MetaData(), autoload_with=connection) for name in ("jobs", "evaluations"))
        connection.execute(update(shown).where(shown.c.id == "succeeded").values(accuracy=0.75))
        for name, accuracy, few, std in (("knn", 0.75, 0.5, 0.2), ("linear", 0.25, 0.125, 0.4)):
            row = probe | {"id": name, "kind": name, "epoch": 3, "created_at": NOW, "accuracy": accuracy}
            groups = {"many": 1.0, "medium": 0.7, "few": few}
            connection.execute(insert(evaluations).values(row | {"group_accuracy": groups, "group_std": std}))
    upgrade(empty_engine)
    with reading(empty_engine) as session:
        shows, lacks = (session.get_one(Job, name) for name in ("succeeded", "queued"))
        assert (shows.few, shows.std) == (0.5, 0.2)
        assert (lacks.few, lacks.std) == (None, None)


@pytest.mark.parametrize(
    ("groups", "kept"),
    [
        ({"many": 0.5, "medium": 0.25, "few": 0.0}, True),
        ({"many": 0.5, "medium": None, "few": 0.5}, False),
        ({"many": 0.5}, False),
        (None, False),
    ],
)
def test_a_deviation_of_groups_that_were_missing_is_dropped(
    empty_engine: Engine, groups: dict[str, Any] | None, kept: bool
) -> None:
    with empty_engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0010")
        fill(connection, "0010")
        table = Table("evaluations", MetaData(), autoload_with=connection)
        connection.execute(update(table).where(table.c.id == "e").values(group_accuracy=groups, group_std=0.125))
    upgrade(empty_engine)
    with reading(empty_engine) as session:
        assert session.get_one(Evaluation, "e").group_std == (0.125 if kept else None)


def test_why_a_round_stopped_gets_a_column(empty_engine: Engine) -> None:
    stop = {"similarity": 0.25, "reference": 0.5, "share": 0.95}
    first, second = {"size": 3, "class_counts": [2, 1]}, {"size": 1, "class_counts": None}
    kept = [[{**first, "stop_of_round": stop}, second], [first, second], []]
    with empty_engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0020")
        fill(connection, "0002")
        table = Table("sampling_rounds", MetaData(), autoload_with=connection)
        for number, clusters in enumerate(kept, 2):
            row = {"job_id": "succeeded", "round": number, "epoch": 2, "step": 10, "num_selected": 5, "seconds": 0.5}
            connection.execute(insert(table).values(row | PACKED | {"clusters": clusters}))
    upgrade(empty_engine)
    with reading(empty_engine) as session:
        rows = [session.get_one(SamplingRound, ("succeeded", number)) for number in (2, 3, 4)]
        assert [row.clusters for row in rows] == [[first, second], [first, second], []]
        assert [row.stop for row in rows] == [stop, None, None]
    with empty_engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0020")
        table = Table("sampling_rounds", MetaData(), autoload_with=connection)
        rounds = select(table.c.clusters).where(table.c.round > 1).order_by(table.c.round)
        assert connection.scalars(rounds).all() == kept


def test_an_evaluation_is_of_a_checkpoint_or_of_a_backbone(engine: Engine) -> None:
    with engine.begin() as connection:
        fill(connection, head())
    of_checkpoint = {"job_id": "succeeded", "checkpoint_id": "c", "epoch": 3}
    of_backbone = {"backbone_id": "b", "dataset_id": "d"}
    for named in ({}, of_checkpoint | of_backbone, {"backbone_id": "b"}, {"checkpoint_id": "c"}, {"dataset_id": "d"}):
        with pytest.raises(IntegrityError), writing(engine) as session:
            session.add(Evaluation(kind="knn", config={}, **named))


def test_a_downgrade_leaves_no_scores_in_files_behind(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0027")
        command.downgrade(alembic_config(connection), "0026")
        command.upgrade(alembic_config(connection), "0027")
        fill(connection, "0027")
        with pytest.raises(RuntimeError, match="scores in files"):
            command.downgrade(alembic_config(connection), "0026")
