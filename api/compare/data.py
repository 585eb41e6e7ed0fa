"""What differs in the data of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from api.http.pages import brief
from colt_core.config import PretrainConfig
from colt_core.data.warnings import DataWarning
from store.models import Dataset, Job, OodPool, RegisteredImages
from store.repositories import registrations

R = TypeVar("R", bound=RegisteredImages)


def data_differences(session: Session, jobs: Sequence[Job]) -> dict[str, list[Any]]:
    """What differs in the data that jobs train and are evaluated on, with the value of each job.

    Data sets that were registered twice from the same images in the same parts do not differ. Pools
    are compared among jobs that pick from one: what a pool adds is a question of settings. Of long
    lists, such as names of thousands of classes, the number and the digest are given.
    """
    trained = [_get(session, Dataset, job.dataset_id) for job in jobs]
    tested = [_get(session, Dataset, job.evaluated_on) for job in jobs]
    pools = [_get(session, OodPool, job.ood_pool_id) if _uses_pool(job) else None for job in jobs]
    found: dict[str, list[Any]] = {}
    if _differ(_content(row) for row in trained):
        found["dataset"] = _named(trained)
        for name in _SHOWN:
            if _differ(values := [getattr(row, name) for row in trained]):
                found[name] = [brief(value) for value in values]
    if _differ(_content(row) for row in tested):
        found["evaluated_on"] = _named(tested)
    if _differ(_content(pool) for pool in pools if pool is not None):
        found["ood_pool"] = _named(pools)
    return found


def warnings_about(differences: Mapping[str, list[Any]]) -> list[DataWarning]:
    """What these differences mean for a comparison."""
    return [
        DataWarning(code, f"{what}, so a difference between them need not come from their settings", *_listed(names))
        for key, (code, what) in _MEANING.items()
        if (names := differences.get(key))
    ]


_FILES = ("images.npy", "labels.npy", "parts.npz")  # two cuts may have equal images, and parts of equal sizes
_SHOWN = ("image_size", "num_classes", "class_names", "class_counts", "split_sizes")
_MEANING = {
    "dataset": ("different_datasets", "The jobs train on different data sets"),
    "evaluated_on": ("different_test_images", "The jobs are evaluated on different data sets"),
    "ood_pool": ("different_pools", "The jobs pick from different OOD pools"),
}


DATA = tuple(_MEANING)  # what `data_differences` names of rows, not of their contents


def _get(session: Session, model: type[R], row_id: str | None) -> R | None:
    return None if row_id is None else registrations.get(session, model, row_id)


def _uses_pool(job: Job) -> bool:
    return PretrainConfig.from_stored(job.config).sampler.uses_pool


def _differ(values: Iterable[Any]) -> bool:
    first, *others = [*values] or [None]
    return any(other != first for other in others)


def _content(row: RegisteredImages | None) -> Any:
    """What two rows with the same images, labels and parts share."""
    if row is None or not row.files:  # of an earlier version
        return row and row.id
    hashes = [row.files[name]["sha256"] for name in _FILES if name in row.files]
    return hashes, getattr(row, "class_names", None), getattr(row, "split_sizes", None)


def _named(rows: Sequence[RegisteredImages | None]) -> list[Any]:
    return [None if row is None else {"id": row.id, "name": row.name} for row in rows]


def _listed(named: Sequence[dict[str, str] | None]) -> tuple[int, tuple[str, ...]]:
    """How many there are, and their names."""
    names = {entry["id"]: entry["name"] for entry in named if entry is not None}
    return len(names), tuple(names.values())
