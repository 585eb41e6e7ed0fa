"""Rows for the tests of leases and of the worker."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine

from store.database import writing
from store.models import Dataset, Job


def add_dataset(engine: Engine, **values: Any) -> Dataset:
    """A data set that waits to be registered."""
    row = Dataset(**({"name": "digits", "spec": {"source": {"kind": "sample", "name": "digits"}}} | values))
    with writing(engine) as session:
        session.add(row)
    return row


def add_job(engine: Engine, dataset: Dataset, **values: Any) -> Job:
    """A queued job."""
    defaults: dict[str, Any] = {
        "name": "job",
        "dataset_id": dataset.id,
        "config": {},
        "framework": "simclr",
        "sampler": "none",
        "evaluations": [],
        "epochs": 4,
    }
    row = Job(**(defaults | values))
    with writing(engine) as session:
        session.add(row)
    return row
