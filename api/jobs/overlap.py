"""What a job's data set and pool have in common that its user should know."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from typing import Any

from api.samples.service import labels_of
from colt_core.data.digests import DIGESTS, SortedDigests
from colt_core.data.findings import LEAKS, found_between
from colt_core.data.warnings import DataWarning
from store.artifacts import get_artifacts
from store.models import Dataset, OodPool


def data_warnings(dataset: Dataset, pool: OodPool | None) -> list[dict[str, Any]]:
    """What makes the accuracies of a job on these data doubtful, as the rows of jobs keep it.

    Digests are compared, not images: 0.3 s for a million images on either side, and nothing for the
    next job on the same data.
    """
    found = [warning for warning in dataset.warnings or [] if warning["code"] in LEAKS]
    if pool is not None:
        found += [asdict(warning) for warning in _between(dataset, pool)]
    return found


def _between(dataset: Dataset, pool: OodPool) -> list[DataWarning]:
    found = []
    if dataset.value_range != pool.value_range and None not in (dataset.value_range, pool.value_range):
        found.append(
            DataWarning(
                "value_ranges_differ",
                f"16-bit values of {pool.value_range} became 0..255 in the pool, but {dataset.value_range} in the data "
                "set. The same value is lighter in one of them. Register the pool again with value_range "
                f"{dataset.value_range}.",
                1,
            )
        )
    unknown = [row.name for row in (dataset, pool) if DIGESTS not in (row.files or {})]
    if unknown:
        return [*found, _unknown(unknown)]
    try:
        return [*found, *_overlap(dataset.artifact, pool.artifact)]
    except (FileNotFoundError, ValueError):  # the trainer says which file is missing or damaged
        return [*found, _unknown([dataset.name, pool.name])]


@lru_cache(maxsize=64)
def _overlap(dataset: str, pool: str) -> tuple[DataWarning, ...]:
    """What was found between the data that the artifact store holds under these keys."""
    return found_between(_digests(pool), _digests(dataset), labels_of(dataset).parts)


def _digests(artifact: str) -> SortedDigests:
    return SortedDigests.load(get_artifacts().local_path(f"{artifact}/{DIGESTS}"))


def _unknown(names: list[str]) -> DataWarning:
    named = " and ".join(f"'{name}'" for name in names)
    detail = (
        f"It is not known whether the pool holds images of the data set. {named} "
        f"{'has' if len(names) == 1 else 'have'} no digests of images, which earlier versions did not store. "
        "Register the data again to find out."
    )
    return DataWarning("overlap_unknown", detail, 1, tuple(names))
