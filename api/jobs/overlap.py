"""What a job's data set and pool have in common that its user should know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy.orm import Session

from api.samples.service import labels_of
from colt_core.data.digests import DIGESTS, SortedDigests
from colt_core.data.findings import LEAKS, found_between, nearly_held
from colt_core.data.warnings import DataWarning
from colt_core.pools.kinds import PoolCheckResult
from store.artifacts import get_artifacts
from store.models import Dataset, OodPool, RegisteredImages
from store.repositories import pool_checks


def data_warnings(session: Session, dataset: Dataset, pool: OodPool | None, evaluated: Dataset) -> list[dict[str, Any]]:
    """What makes the accuracies of a job on these data doubtful, as the rows of jobs keep it.

    Digests are compared, not images: 0.4 s for a million images on either side, and nothing for the
    next job on the same data. Near-duplicates are those that a check of the pool has found.

    Args:
        dataset: what the job trains on.
        pool: its pool, if it has one.
        evaluated: what it is evaluated on, mostly the same.
    """
    found = [warning for warning in evaluated.warnings or [] if warning["code"] in LEAKS]
    ranges = [_other_range(row, dataset) for row in (pool, evaluated) if row is not None]
    copies = [] if pool is None else _near_copies(session, dataset, pool, evaluated)
    return found + [asdict(one) for one in (*filter(None, ranges), *_overlap(dataset, pool, evaluated), *copies)]


def _other_range(row: RegisteredImages, dataset: Dataset) -> DataWarning | None:
    if None in (row.value_range, dataset.value_range) or row.value_range == dataset.value_range:
        return None
    detail = (
        f"16-bit values of {row.value_range} became 0..255 in '{row.name}', but {dataset.value_range} in "
        f"'{dataset.name}'. The same value is lighter in one of them. Register '{row.name}' again with value_range "
        f"{dataset.value_range}."
    )
    return DataWarning("value_ranges_differ", detail, 1, (row.name,))


def _overlap(dataset: Dataset, pool: OodPool | None, evaluated: Dataset) -> tuple[DataWarning, ...]:
    if pool is None and evaluated is dataset:
        return ()
    rows = [row for row in dict.fromkeys((dataset, evaluated, pool)) if row is not None]
    if unknown := [row.name for row in rows if DIGESTS not in (row.files or {})]:
        return (_unknown(unknown),)
    try:
        return _found(
            _Images(dataset.artifact, dataset.labels),
            None if pool is None else pool.artifact,
            _Images(evaluated.artifact, evaluated.labels),
        )
    except (FileNotFoundError, ValueError):  # the trainer says which file is missing or damaged
        return (_unknown([row.name for row in rows]),)


def _near_copies(session: Session, dataset: Dataset, pool: OodPool, evaluated: Dataset) -> Iterator[DataWarning]:
    """Near-duplicates of test images, and of images that are trained on."""
    for of_test, of in ((True, evaluated), (False, dataset)):
        checked = pool_checks.latest_result(session, pool.id, of.id)
        if checked is None:
            continue
        found = PoolCheckResult.model_validate(checked).near_duplicates
        count = sum(
            found.by_part[part] - found.exact_by_part[part] for part in found.by_part if (part == "test") == of_test
        )
        if count > 0:
            shown = [one for one in found.examples if (one.part == "test") == of_test and one.difference > 0]
            yield nearly_held(count, tuple(one.pool_index for one in shown), of_test)


class _Images(NamedTuple):
    """A data set in the artifact store, and whether it has labels and parts."""

    artifact: str
    labelled: bool

    def digests(self, *names: str) -> SortedDigests:
        """Of the images in these parts. Without labels, all images are the training part."""
        of_all = SortedDigests.load(get_artifacts().local_path(f"{self.artifact}/{DIGESTS}"))
        if not self.labelled:
            return of_all if "train" in names else of_all.among(np.empty(0, np.int64))
        parts = labels_of(self.artifact).parts
        return of_all.among(np.concatenate([parts[name] for name in names if name in parts]))


@lru_cache(maxsize=64)
def _found(dataset: _Images, pool: str | None, evaluated: _Images) -> tuple[DataWarning, ...]:
    return found_between(
        None if pool is None else _Images(pool, False).digests("train"),
        dataset.digests("train", "probe", "val"),
        evaluated.digests("test"),
        evaluated == dataset,
        None if evaluated == dataset else evaluated.digests("train", "probe", "val"),
    )


def _unknown(names: list[str]) -> DataWarning:
    named = " and ".join(f"'{name}'" for name in names)
    detail = (
        f"It is not known whether the data share images. {named} "
        f"{'has' if len(names) == 1 else 'have'} no digests of images, which earlier versions did not store. "
        "Register the data again to find out."
    )
    return DataWarning("overlap_unknown", detail, 1, tuple(names))
