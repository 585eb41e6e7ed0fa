"""How many images of the pool have which tailness."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.tailness.ood_samples import OodFilter, scores_of
from api.tailness.schemas import OodHistogram
from store.pool_scores import COLUMNS


def histogram(session: Session, job_id: str, wanted: OodFilter, bins: int) -> OodHistogram:
    """Images in bins of one width, from the smallest tailness to the largest. Scores that are not
    finite are left out.

    Raises:
        NotFound: there is no such job, or the round was not run.
    """
    scores = scores_of(session, job_id, wanted.round)
    if scores is None:
        return OodHistogram(round=None, edges=[], all=[], picked=[])

    def finite() -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
        """Of each block the scores shown, and which are of picks."""
        for block in scores.blocks(*COLUMNS):
            shown = wanted.passing(block) & np.isfinite(block.columns["tailness"])
            # In float64, as an edge is compared with `min` and `max` of the list.
            yield block.columns["tailness"][shown].astype(np.float64), block.selected[shown]

    ends = [(tailness.min(), tailness.max()) for tailness, _ in finite() if len(tailness)]
    if not ends:
        return OodHistogram(round=scores.round, edges=[], all=[], picked=[])
    reach = min(low for low, _ in ends), max(high for _, high in ends)
    edges = np.histogram_bin_edges(np.empty(0), bins, reach)
    counts, picked = np.zeros((2, bins), np.int64)
    for tailness, selected in finite():
        counts += np.histogram(tailness, bins, reach)[0]
        picked += np.histogram(tailness[selected], edges)[0]
    return OodHistogram(round=scores.round, edges=edges.tolist(), all=counts.tolist(), picked=picked.tolist())
