"""What a trainer measures of an encoder that is new to the service."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from colt_core.config import PretrainConfig
from colt_core.cost.dry_run import measured_activations
from store.artifacts import get_artifacts
from store.database import reading
from store.models import Job, MeasuredActivations
from store.repositories import activations
from tests.support import tiny_runs
from tests.support.claims import work_off
from tests.support.rows import add_dataset, add_job
from tests.support.tiny_dataset import DATA
from worker.measuring import measure_once

CONFIG = tiny_runs.config(sampler="none", epochs=1, precision="fp32", device="cpu")


def test_a_job_measures_its_encoder_once_for_the_estimates_of_later_ones(configured: Engine, home: Path) -> None:
    dataset = add_dataset(configured, status="ready")
    DATA.save(home / "made")
    get_artifacts().take_folder(home / "made", dataset.artifact)
    measured_at = set()
    for seed in range(2):
        made = CONFIG.model_copy(update={"seed": seed})
        add_job(configured, dataset, config=made.model_dump(mode="json"), epochs=1)
        work_off(home, Job)
        with reading() as session:
            measured_at.add(session.scalars(select(MeasuredActivations)).one().measured_at)
            found = activations.get(session, activations.encoder_key(made, 16, "fp32"))
        assert found == measured_activations(made, 16)
    assert len(measured_at) == 1
    with reading() as session:
        assert {job.status for job in session.scalars(select(Job))} == {"succeeded"}


def test_a_measurement_that_fails_is_none_of_the_job_s_business(
    configured: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    measure_once(PretrainConfig.from_stored(CONFIG.model_dump()), 0)  # images of no pixel
    assert "could not be measured" in caplog.text
    with reading() as session:
        assert session.scalars(select(MeasuredActivations)).all() == []
