"""How many images of the pool have which tailness."""

from __future__ import annotations

import numpy as np
from sqlalchemy.orm import Session

from api.tailness.ood_samples import OodFilter, scores_of
from api.tailness.schemas import OodHistogram


def histogram(session: Session, job_id: str, wanted: OodFilter, bins: int) -> OodHistogram:
    """Images in bins of one width, from the smallest tailness to the largest. Scores that are not
    finite are left out.

    Raises:
        NotFound: there is no such job, or the round was not run.
    """
    scores = scores_of(session, job_id, wanted.round)
    if scores is None:
        return OodHistogram(round=None, edges=[], all=[], picked=[])
    shown = wanted.indices(scores)
    shown = shown[np.isfinite(scores.tailness[shown])]
    if not len(shown):
        return OodHistogram(round=scores.round, edges=[], all=[], picked=[])
    # In float64, as an edge is compared with `min` and `max` of the list.
    tailness = scores.tailness[shown].astype(np.float64)
    counts, edges = np.histogram(tailness, bins)
    picked, _ = np.histogram(tailness[scores.selected[shown]], edges)
    return OodHistogram(round=scores.round, edges=edges.tolist(), all=counts.tolist(), picked=picked.tolist())
