"""Bytes of a run's rows, beside what an engine takes for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, text

from colt_core.config import PretrainConfig
from colt_core.cost.memory import RunData
from colt_core.cost.run import run_cost
from store.database import reading, writing
from store.models import RoundScores, SamplingRound, TailnessEpoch
from store.repositories import recording
from store.sizes import database_bytes
from tests.support.rows import add_dataset, add_job

NUM_TRAIN, NUM_POOL, CLASSES, CLUSTERS = 2000, 5000, 10, 10
CONFIG = PretrainConfig.resolve(
    {"batch_size": 100, "epochs": 40, "warmup_epochs": 10, "sample_interval": 5, "sample_budget": 1000, "width": 4}
)
COST = run_cost(CONFIG, RunData(32, NUM_TRAIN, NUM_POOL))
NAMES = ("loss", "contrastive_loss", "distribution_loss", "learning_rate", "forward_backward_seconds")


def size(engine: Engine) -> int:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
            return Path(str(engine.url.database)).stat().st_size
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def test_the_rows_of_a_run_take_about_as_many_bytes(engine: Engine) -> None:
    job = add_job(engine, add_dataset(engine, status="ready"))
    before = size(engine)
    rng = np.random.default_rng(0)  # scores that cannot be compressed
    values = rng.random(COST.metrics).tolist()
    points = [(NAMES[n % len(NAMES)], n // len(NAMES), value) for n, value in enumerate(values)]
    scores = rng.random(NUM_POOL).astype("<f4").tobytes()
    clusters = [
        {"size": 5, "tailness": 0.1234567890123, "weight": 0.1, "budget": 3, "class_counts": list(range(CLASSES))}
    ] * CLUSTERS
    for start in range(0, len(points), 200):
        with writing(engine) as session:
            recording.add_metrics(session, job.id, points[start : start + 200])
    for epoch in range(1, COST.epochs + 1):
        values = rng.random(NUM_TRAIN).astype("<f4").tobytes()
        with writing(engine) as session:
            session.add(TailnessEpoch(job_id=job.id, epoch=epoch, class_means=list(rng.random(CLASSES)), scores=values))
    for number in range(1, COST.rounds + 1):
        with writing(engine) as session:
            session.add(
                SamplingRound(
                    job_id=job.id,
                    round=number,
                    epoch=number,
                    step=number,
                    clusters=clusters,
                    num_selected=1000,
                    overlap=0.5,
                    num_embedded=NUM_POOL,
                    seconds=1.0,
                    id_cluster=scores[: 2 * NUM_TRAIN],
                    nearest=rng.bytes(32 * 1000),
                    nearest_similarity=rng.bytes(16 * 1000),
                )
            )
            session.flush()
            file = f"jobs/{job.id}/rounds/{number}-0123456789ab.scores"
            written = {"images": NUM_POOL, "file": file, "bytes": 9 * NUM_POOL, "sha256": "0" * 64}
            session.add(RoundScores(job_id=job.id, round=number, picks=rng.bytes(4 * 1000), **written))
    used = size(engine) - before
    expected = database_bytes(COST, CLASSES, CLUSTERS)
    assert expected == pytest.approx(used, rel=0.5), f"{expected:,} for {used:,}"
    with reading(engine) as session:
        assert len(session.get_one(RoundScores, (job.id, 1)).picks) == 4 * 1000
