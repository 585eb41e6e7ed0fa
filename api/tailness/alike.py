"""Which images of a list nearly equal an earlier one, so that a gallery can fold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

import numpy as np
from fastapi import Query
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.jobs.service import find
from api.samples.npy import NotThere, read_rows
from colt_core.pools.pixels import differences, roughness
from store.artifacts import get_artifacts
from store.models import OodPool

MOST_COMPARED = 100  # images of a page; the others are alike to none
_SIZE = 32  # px: larger images are compared after they were averaged down to at most twice this

Alike = Annotated[
    bool, Query(description=f"Compare the first {MOST_COMPARED} images of the page, and fill in `alike_to`.")
]


class Listed(Protocol):
    """An image of a pool in a list."""

    index: int
    alike_to: int | None


def pool_images(session: Session, job_id: str) -> str | None:
    """The artifact of the images of a job's pool; None without a pool."""
    pool_id = find(session, job_id).ood_pool_id
    pool = None if pool_id is None else session.get(OodPool, pool_id)
    return None if pool is None else f"{pool.artifact}/images.npy"


def mark_alike(items: Sequence[Listed], images: str) -> None:
    """Set `alike_to` of items that nearly equal an earlier one, by the first limit of a pool check.

    Their pixels differ by less than half of what a shift by one pixel changes in the earlier image,
    or not at all. Mirrored copies count too.

    Args:
        items: images of a pool, in the order of the list.
        images: the artifact of the pool's images. If it is gone, nothing is set.
    """
    compared = items[:MOST_COMPARED]
    try:
        with get_artifacts().open(images) as file:
            rows = [_small(pixels) for pixels in read_rows(file, (item.index for item in compared))]
    except (FileNotFoundError, NotThere):
        return
    if not rows:
        return
    pixels_N3SS = np.stack(rows)
    half_a_shift_N = roughness(pixels_N3SS.astype(np.float32)) / 2
    first = np.full(len(rows), -1)
    for at in range(len(rows)):
        later = np.flatnonzero(first[at + 1 :] < 0) + at + 1
        if first[at] >= 0 or not len(later):
            continue
        difference = differences(np.broadcast_to(pixels_N3SS[at], pixels_N3SS[later].shape), pixels_N3SS[later])
        first[later[(difference < half_a_shift_N[at]) | (difference == 0)]] = at
    for item, at in zip(compared, first.tolist(), strict=True):
        if at >= 0:
            item.alike_to = compared[at].index


def _small(pixels_3SS: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image of fewer than 2 x _SIZE px: blocks of pixels are averaged."""
    block = max(1, pixels_3SS.shape[1] // _SIZE)
    kept = pixels_3SS.shape[1] // block
    cut = pixels_3SS[:, : kept * block, : kept * block].reshape(3, kept, block, kept, block)
    small: NDArray[np.uint8] = cut.mean(axis=(2, 4)).round().astype(np.uint8)
    return small
