"""What a job's sampling rounds measured of the pool.

A file is written before the row that names it.
"""

from __future__ import annotations

import numpy as np

from colt_core.events import RoundDone
from store.artifacts import ArtifactStore
from store.models import RoundScores, new_id
from store.pool_scores import packed


def store(artifacts: ArtifactStore, job_id: str, event: RoundDone) -> RoundScores:
    """Write `jobs/ID/rounds/ROUND-RANDOM.scores`. Each write has a name of its own, for the reason
    that checkpoints have one (worker/checkpoints.py).

    Returns:
        The row to record.

    Raises:
        OSError: when the store is full or cannot be used. Then there is no file.
    """
    key = f"jobs/{job_id}/rounds/{event.round}-{new_id()[:12]}.scores"
    measured = event.ood_tailness, event.ood_similarity, event.ood_cluster
    stored = artifacts.write(key, packed(*measured, len(event.clusters), event.selected))
    return RoundScores(
        job_id=job_id,
        round=event.round,
        images=len(event.ood_tailness),
        file=key,
        bytes=stored.bytes,
        sha256=stored.sha256,
        picks=np.sort(event.selected).astype("<i4").tobytes(),
    )
