"""Whether the clusters of a round hold the tail."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.http.errors import NotFound
from api.jobs.service import find
from api.rounds.schemas import RoundDetails, RoundInfo
from colt_core.config import PretrainConfig
from colt_core.data.groups import GroupThresholds, class_groups
from store.models import SamplingRound
from store.repositories import rounds

MOST_LIFTS = 50_000  # of a round: one megabyte


def details(session: Session, job_id: str, number: int) -> RoundDetails:
    """One round, with the shares of classes in its clusters.

    Raises:
        NotFound: there is no such job, or no such round of it.
    """
    job = find(session, job_id)
    found = rounds.get(session, job_id, number)
    if found is None:
        raise NotFound(f"This job has had no sampling round {number}.")
    return shown(found, PretrainConfig.from_stored(job.config).group_thresholds)


def shown(row: SamplingRound, thresholds: GroupThresholds | None) -> RoundDetails:
    """A round with the shares of classes in its clusters. `thresholds` are those of the job."""
    info = RoundInfo.model_validate(row)
    clusters: list[dict[str, Any]] = [{**dict(cluster), "few_share": None, "lift": None} for cluster in info.clusters]
    few_share = None
    counts = [cluster.class_counts for cluster in info.clusters if cluster.class_counts]
    if len(counts) == len(clusters) > 0:
        counts_KC = np.array(counts)
        in_few_K, few_share = few_shares(counts_KC, thresholds)
        lifts = lift(counts_KC) if counts_KC.size <= MOST_LIFTS else [None] * len(clusters)
        for cluster, of_few, of_classes in zip(clusters, in_few_K, lifts, strict=True):
            cluster |= {"few_share": of_few, "lift": of_classes}
    return RoundDetails.model_validate({**dict(info), "clusters": clusters, "few_share": few_share})


def few_shares(
    counts_KC: NDArray[np.int64], thresholds: GroupThresholds | None
) -> tuple[list[float | None], float | None]:
    """The share of Few images in each cluster, and among all images.

    Args:
        counts_KC: images by cluster and class. Every training image is in one cluster.
        thresholds: of the groups.

    Returns:
        K shares, None for an empty cluster; and that of all, None without an image.
    """
    few = list(class_groups(counts_KC.sum(axis=0).tolist(), thresholds).few)
    rows = [*counts_KC, counts_KC.sum(axis=0)]
    *in_clusters, of_all = [float(row[few].sum() / row.sum()) if row.any() else None for row in rows]
    return in_clusters, of_all


def lift(counts_KC: NDArray[np.int64]) -> list[list[float | None] | None]:
    """The share of each class in each cluster over its share among all images.

    Args:
        counts_KC: images by cluster and class.

    Returns:
        By cluster: C lifts, with None for a class without images; None for an empty cluster. They
        have six digits, as a thousand classes of a hundred clusters would be megabytes.
    """
    total_C = counts_KC.sum(axis=0)
    share_C = total_C / max(1, total_C.sum())
    return [
        [
            float(f"{part / share:.6g}") if share else None
            for part, share in zip(row_C / row_C.sum(), share_C, strict=True)
        ]
        if row_C.any()
        else None
        for row_C in counts_KC
    ]
