"""Sampling rounds, their picks and their scores of the pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, LargeBinary, Row, Select, case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.models import RoundScores, SamplingRound
from store.pool_scores import COLUMNS, FLOAT32, UINT8, UINT16, InFile, InRow, PoolScores, read_image
from store.repositories.pages import LARGE_ROWS, Slice, numbered_page

INT32, FLOAT16 = np.dtype("<i4"), np.dtype("<f2")
# Of rows of earlier versions.
_IN_ROW: tuple[tuple[InstrumentedAttribute[bytes], np.dtype[Any]], ...] = (
    (SamplingRound.ood_tailness, FLOAT32),
    (SamplingRound.ood_similarity, FLOAT32),
    (SamplingRound.ood_cluster, UINT16),
)
_SCORES = (SamplingRound.job_id == RoundScores.job_id) & (SamplingRound.round == RoundScores.round)
# What a round picked: as indices, or in rows of earlier versions as a flag for each image.
_PICKS = (RoundScores.picks, case((RoundScores.picks.is_(None), SamplingRound.ood_selected), else_=None))
_FILE = (RoundScores.images, RoundScores.file, RoundScores.bytes)


class ScoresDropped(Exception):
    """A round's scores of the pool were dropped, as a setting says.

    Attributes:
        round: its number.
    """

    def __init__(self, round: int) -> None:
        super().__init__(f"the scores of round {round} were dropped")
        self.round = round


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
    """The pool's scores from round `number`, or from the last one if None. A file is read later.

    Returns:
        None when there was no such round.

    Raises:
        ScoresDropped: they were dropped.
    """
    columns = select(SamplingRound.round, SamplingRound.epoch, *_FILE, RoundScores.picks).outerjoin(
        RoundScores, _SCORES
    )
    row = _one(session, job_id, number, columns)
    if row is None:
        return None
    if row.picks is not None:
        if row.file is None:
            raise ScoresDropped(row.round)
        file = InFile(row.file, row.images, row.bytes)
        return PoolScores(row.round, row.epoch, row.images, np.frombuffer(row.picks, INT32), file)
    arrays = select(SamplingRound.ood_selected, *(column for column, _ in _IN_ROW))
    packed = _one(session, job_id, row.round, arrays)
    assert packed is not None  # of one moment
    columns_M = [np.frombuffer(column, dtype) for column, (_, dtype) in zip(packed[1:], _IN_ROW, strict=True)]
    source = InRow(dict(zip(COLUMNS, columns_M, strict=True)))
    return PoolScores(row.round, row.epoch, len(columns_M[0]), _picked(None, packed[0]), source)


def training_clusters(session: Session, job_id: str, number: int | None) -> tuple[int, NDArray[np.uint16]] | None:
    """The clusters of the training images in round `number`, or in the last one if None.

    Returns:
        The round's number and (N,) clusters; None when there was no such round.
    """
    row = _one(session, job_id, number, select(SamplingRound.round, SamplingRound.id_cluster))
    return None if row is None else (row.round, np.frombuffer(row.id_cluster, UINT16))


def picked(session: Session, job_id: str, number: int) -> NDArray[np.int32] | None:
    """(P,), ascending, which images of the pool a round picked, or None when there was no such
    round."""
    row = _one(session, job_id, number, select(*_PICKS).outerjoin(RoundScores, _SCORES))
    return None if row is None else _picked(row[0], row[1])


def picks_by_round(session: Session, job_id: str) -> list[tuple[int, NDArray[np.int32]]]:
    """Each round's number and what it picked, ascending. Rows are read a few at a time."""
    rows = session.execute(
        select(SamplingRound.round, *_PICKS)
        .outerjoin(RoundScores, _SCORES)
        .where(SamplingRound.job_id == job_id)
        .order_by(SamplingRound.round)
        .execution_options(yield_per=LARGE_ROWS)
    )
    return [(number, _picked(picks, selected)) for number, picks, selected in rows]


def picks(session: Session, job_id: str) -> Picks:
    """What each round picked, in one list."""
    found = picks_by_round(session, job_id)
    # Numbers whose upper half is the index, since numpy sorts plain numbers quickest.
    both = np.concatenate([(picked.astype(np.int64) << 32) + number for number, picked in found] or [np.empty(0, int)])
    both.sort()
    return Picks((both >> 32).astype(np.int32), both.astype(np.int32))


def sample_history(session: Session, job_id: str, index: int, last: int) -> list[PoolSampleInRound]:
    """One pool image in the last rounds that keep their scores. Of each only its bytes are read.

    Args:
        session: a session.
        job_id: the job.
        index: the image's index in the pool, below MOST_IMAGES.
        last: how many rounds at most.
    """
    rows = session.execute(
        select(SamplingRound.round, SamplingRound.epoch, *_FILE)
        .outerjoin(RoundScores, _SCORES)
        .where(SamplingRound.job_id == job_id)
        .order_by(SamplingRound.round.desc())
        .limit(last)
    ).all()[::-1]
    in_files = [row for row in rows if row.file is not None and index < row.images]
    scored = read_image([InFile(row.file, row.images, row.bytes) for row in in_files], index)
    found = _history_in_rows(session, job_id, index, [row.round for row in rows if row.images is None])
    for row, seen in zip(in_files, scored, strict=True):
        measured = seen.tailness, seen.cluster, seen.similarity, seen.selected
        found.append(PoolSampleInRound(row.round, row.epoch, *measured))
    return sorted(found, key=lambda seen: seen.round)


def _history_in_rows(session: Session, job_id: str, index: int, numbers: list[int]) -> list[PoolSampleInRound]:
    """The same of these rounds, by earlier versions. The database extracts the bytes."""
    if not numbers:
        return []
    arrays = [*_IN_ROW, (SamplingRound.ood_selected, UINT8)]
    rows = session.execute(
        select(
            SamplingRound.round, SamplingRound.epoch, *(_cut(column, dtype, index) for column, dtype in arrays)
        ).where(SamplingRound.job_id == job_id, SamplingRound.round.in_(numbers))
    )
    found = []
    for number, epoch, *packed in rows:
        if all(packed):
            tailness, similarity, cluster, selected = (
                np.frombuffer(value, dtype)[0] for value, (_, dtype) in zip(packed, arrays, strict=True)
            )
            measured = float(tailness), int(cluster), float(similarity), bool(selected)
            found.append(PoolSampleInRound(number, epoch, *measured))
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
    columns = (SamplingRound.round, SamplingRound.epoch, SamplingRound.num_selected)
    images = func.coalesce(RoundScores.images, func.length(SamplingRound.ood_selected))
    sizes = (images.label("images"), func.length(SamplingRound.nearest).label("size"))
    row = _one(session, job_id, number, select(*columns, *sizes, *_PICKS).outerjoin(RoundScores, _SCORES))
    if row is None or row.images <= index:
        return None
    place = _place(_picked(row[-2], row[-1]), index)
    if place is None or row.size is None:
        return NearestInRound(row.round, row.epoch, place is not None, None, None)
    count = row.size // (INT32.itemsize * row.num_selected)
    cuts = select(
        _cut(SamplingRound.nearest, INT32, place, count), _cut(SamplingRound.nearest_similarity, FLOAT16, place, count)
    )
    index_k, similarity_k = session.execute(
        cuts.where(SamplingRound.job_id == job_id, SamplingRound.round == row.round)
    ).one()
    return NearestInRound(
        row.round, row.epoch, True, np.frombuffer(index_k, INT32), np.frombuffer(similarity_k, FLOAT16)
    )


def _one(
    session: Session, job_id: str, number: int | None, columns: Select[*tuple[Any, ...]]
) -> Row[*tuple[Any, ...]] | None:
    """Columns of a round; None: of the last."""
    mine = columns.where(SamplingRound.job_id == job_id)
    if number is None:
        mine = mine.order_by(SamplingRound.round.desc()).limit(1)
    else:
        mine = mine.where(SamplingRound.round == number)
    return session.execute(mine).one_or_none()


def _picked(picks: bytes | None, selected: bytes | None) -> NDArray[np.int32]:
    if picks is not None:
        return np.frombuffer(picks, INT32)
    return np.flatnonzero(np.frombuffer(selected or b"", UINT8)).astype(np.int32)


def _place(picks: NDArray[np.int32], index: int) -> int | None:
    """The place of an image among ascending picks; None if it is not there."""
    place = int(np.searchsorted(picks, index))
    return place if place < len(picks) and int(picks[place]) == index else None


def _cut(
    column: InstrumentedAttribute[bytes] | InstrumentedAttribute[bytes | None],
    dtype: np.dtype[Any],
    index: int,
    count: int = 1,
) -> ColumnElement[bytes]:
    """The values from `index` * `count` on, `count` of them."""
    size = count * dtype.itemsize
    return func.substr(column, index * size + 1, size, type_=LargeBinary)
