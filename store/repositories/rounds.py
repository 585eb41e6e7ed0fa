"""Sampling rounds and their scores of the pool. Arrays are packed, one row per round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, LargeBinary, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.models import SamplingRound
from store.repositories.pages import LARGE_ROWS, Slice, numbered_page

FLOAT32, UINT16, UINT8 = np.dtype("<f4"), np.dtype("<u2"), np.dtype("u1")
INT32, FLOAT16 = np.dtype("<i4"), np.dtype("<f2")
_ARRAYS: tuple[tuple[InstrumentedAttribute[bytes], np.dtype[Any]], ...] = (
    (SamplingRound.ood_tailness, FLOAT32),
    (SamplingRound.ood_cluster, UINT16),
    (SamplingRound.ood_similarity, FLOAT32),
    (SamplingRound.ood_selected, UINT8),
)


@dataclass(frozen=True, slots=True)
class PoolScores:
    """One round's scores of all M images in the pool. Every array is (M,)."""

    round: int
    epoch: int
    tailness: NDArray[np.float32]
    cluster: NDArray[np.uint16]
    similarity: NDArray[np.float32]
    selected: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Picks:
    """All P picks of a job's rounds, by pool index and then by round. Every array is (P,)."""

    index: NDArray[np.int32]
    round: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class PoolSampleInRound:
    """One round's scores of one image in the pool."""

    round: int
    epoch: int
    tailness: float
    cluster: int
    similarity: float
    selected: bool


@dataclass(frozen=True, slots=True)
class NearestInRound:
    """The k training images nearest to one pool image in a round, nearest first.

    The arrays are None if the round did not pick the image, or kept none.
    """

    round: int
    epoch: int
    selected: bool
    index: NDArray[np.int32] | None  # (k,)
    similarity: NDArray[np.float16] | None  # (k,)


def page(session: Session, job_id: str, limit: int, cursor: str | None) -> Slice[SamplingRound]:
    """A page of rounds without their arrays, in order.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    mine = select(SamplingRound).where(SamplingRound.job_id == job_id)
    return numbered_page(session, mine, SamplingRound.round, limit, cursor, LARGE_ROWS)


def get(session: Session, job_id: str, number: int) -> SamplingRound | None:
    return session.get(SamplingRound, (job_id, number))


def last(session: Session, job_id: str) -> int | None:
    """The number of the job's last round; None before the first."""
    return session.scalar(select(func.max(SamplingRound.round)).where(SamplingRound.job_id == job_id))


def pool_scores(session: Session, job_id: str, number: int | None) -> PoolScores | None:
    """The pool's scores from round `number`, or from the last one if None.

    Returns:
        None when there was no such round.
    """
    columns = (SamplingRound.round, SamplingRound.epoch, *(column for column, _ in _ARRAYS))
    statement = select(*columns).where(SamplingRound.job_id == job_id)
    if number is None:
        statement = statement.order_by(SamplingRound.round.desc()).limit(1)
    else:
        statement = statement.where(SamplingRound.round == number)
    row = session.execute(statement).one_or_none()
    if row is None:
        return None
    tailness, cluster, similarity, selected = (
        np.frombuffer(packed, dtype) for packed, (_, dtype) in zip(row[2:], _ARRAYS, strict=True)
    )
    return PoolScores(row.round, row.epoch, tailness, cluster, similarity, selected.astype(bool))


def training_clusters(session: Session, job_id: str, number: int | None) -> tuple[int, NDArray[np.uint16]] | None:
    """The clusters of the training images in round `number`, or in the last one if None.

    Returns:
        The round's number and (N,) clusters; None when there was no such round.
    """
    statement = select(SamplingRound.round, SamplingRound.id_cluster).where(SamplingRound.job_id == job_id)
    if number is None:
        statement = statement.order_by(SamplingRound.round.desc()).limit(1)
    else:
        statement = statement.where(SamplingRound.round == number)
    row = session.execute(statement).one_or_none()
    return None if row is None else (row.round, np.frombuffer(row.id_cluster, UINT16))


def selected(session: Session, job_id: str, number: int) -> NDArray[np.bool_] | None:
    """(M,), which images of the pool a round picked, or None when there was no such round."""
    packed = session.scalar(
        select(SamplingRound.ood_selected).where(SamplingRound.job_id == job_id, SamplingRound.round == number)
    )
    return None if packed is None else np.frombuffer(packed, UINT8).astype(bool)


def picks(session: Session, job_id: str) -> Picks:
    """What each round picked. Rows are read a few at a time."""
    rows = session.execute(
        select(SamplingRound.round, SamplingRound.ood_selected)
        .where(SamplingRound.job_id == job_id)
        .order_by(SamplingRound.round)
        .execution_options(yield_per=LARGE_ROWS)
    )
    found = [(number, np.flatnonzero(np.frombuffer(packed, UINT8)).astype(np.int32)) for number, packed in rows]
    index = np.concatenate([picked for _, picked in found] or [np.empty(0, np.int32)])
    number = np.repeat(np.array([number for number, _ in found], np.int32), [len(picked) for _, picked in found])
    order = np.argsort(index, kind="stable")
    return Picks(index[order], number[order])


def sample_history(session: Session, job_id: str, index: int, last: int) -> list[PoolSampleInRound]:
    """One pool image in the last rounds. The database extracts its bytes from each row.

    Args:
        session: a session.
        job_id: the job.
        index: the image's index in the pool, below MOST_IMAGES.
        last: how many rounds at most.
    """
    cuts = [_cut(column, dtype, index) for column, dtype in _ARRAYS]
    rows = session.execute(
        select(SamplingRound.round, SamplingRound.epoch, *cuts)
        .where(SamplingRound.job_id == job_id)
        .order_by(SamplingRound.round.desc())
        .limit(last)
    )
    found = []
    for number, epoch, *packed in reversed(rows.all()):
        if all(packed):
            tailness, cluster, similarity, selected = (
                np.frombuffer(value, dtype)[0] for value, (_, dtype) in zip(packed, _ARRAYS, strict=True)
            )
            found.append(
                PoolSampleInRound(number, epoch, float(tailness), int(cluster), float(similarity), bool(selected))
            )
    return found


def nearest(session: Session, job_id: str, number: int | None, index: int) -> NearestInRound | None:
    """The training images nearest to one pool image, from round `number`, or from the last one if
    None.

    The database extracts the image's bytes. Its place is the number of picks before it.

    Args:
        session: a session.
        job_id: the job.
        number: the round.
        index: the image's index in the pool, below MOST_IMAGES.

    Returns:
        None when there was no such round, or it has not scored the image.
    """
    picked_until = func.substr(SamplingRound.ood_selected, 1, index + 1, type_=LargeBinary)
    columns = (SamplingRound.round, SamplingRound.epoch, SamplingRound.num_selected)
    statement = select(*columns, picked_until, func.length(SamplingRound.nearest)).where(SamplingRound.job_id == job_id)
    if number is None:
        statement = statement.order_by(SamplingRound.round.desc()).limit(1)
    else:
        statement = statement.where(SamplingRound.round == number)
    row = session.execute(statement).one_or_none()
    if row is None or len(row[3]) <= index:
        return None
    number, epoch, num_selected, packed, size = row
    picked = np.frombuffer(packed, UINT8)
    if not picked[index] or size is None:
        return NearestInRound(number, epoch, bool(picked[index]), None, None)
    place, count = int(np.count_nonzero(picked[:index])), size // (INT32.itemsize * num_selected)
    cuts = select(
        _cut(SamplingRound.nearest, INT32, place, count), _cut(SamplingRound.nearest_similarity, FLOAT16, place, count)
    )
    index_k, similarity_k = session.execute(
        cuts.where(SamplingRound.job_id == job_id, SamplingRound.round == number)
    ).one()
    return NearestInRound(number, epoch, True, np.frombuffer(index_k, INT32), np.frombuffer(similarity_k, FLOAT16))


def _cut(
    column: InstrumentedAttribute[bytes] | InstrumentedAttribute[bytes | None],
    dtype: np.dtype[Any],
    index: int,
    count: int = 1,
) -> ColumnElement[bytes]:
    """The values from `index` * `count` on, `count` of them."""
    size = count * dtype.itemsize
    return func.substr(column, index * size + 1, size, type_=LargeBinary)
