"""Tailness of the OOD pool's images. Every sampling round measures it again."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.http.errors import NotFound
from api.http.outbox import Outbox
from api.jobs.service import find
from api.tailness.ordering import ordered
from api.tailness.schemas import (
    Change,
    OodOrder,
    OodSample,
    OodSampleDetail,
    OodSamplePage,
    OodSampleRound,
    Standing,
)
from store.repositories import rounds
from store.repositories.pages import BadCursor, Slice, decode_cursor, encode_cursor
from store.repositories.rounds import Picks, PoolScores

_EXPORT_BLOCK = 2000
_PARQUET_BLOCK = 2**16  # rows of a row group
MOST_ROUNDS = 1000  # of the history of an image


@dataclass(frozen=True, slots=True)
class OodFilter:
    """Filters of a list. None filters nothing; `round` None is the last round."""

    round: int | None = None
    cluster: int | None = None
    selected: bool | None = None
    min: float | None = None
    max: float | None = None
    change: Change | None = None

    @property
    def narrowing(self) -> str:
        """What all pages of a list share, apart from round and order."""
        return f"{self.cluster} {self.selected} {self.min} {self.max} {self.change}"

    def indices(self, scores: PoolScores, before: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Ascending pool indices that pass the filters.

        Args:
            scores: of the round.
            before: (M,), which images the round before picked; None if it is the first. Only
                `change` needs it.
        """
        passing = np.ones(len(scores.tailness), bool)
        if self.cluster is not None:
            passing &= scores.cluster == self.cluster
        if self.selected is not None:
            passing &= scores.selected == self.selected
        if self.min is not None:
            passing &= scores.tailness >= self.min
        if self.max is not None:
            passing &= scores.tailness <= self.max
        if self.change is not None:
            now, then = scores.selected, np.zeros_like(passing) if before is None else before
            passing &= {"entered": now & ~then, "stayed": now & then, "left": then & ~now}[self.change]
        return np.flatnonzero(passing)


def page(
    session: Session, job_id: str, wanted: OodFilter, order: OodOrder, limit: int, cursor: str | None
) -> OodSamplePage:
    """Samples of one round. All pages show the round of the first page.

    Raises:
        NotFound: there is no such job, or the round was not run.
    """
    start, number = 0, wanted.round
    if cursor is not None:
        cursor_order, narrowing, cursor_round, start = decode_cursor(session, cursor, str, str, int, int)
        if (cursor_order, narrowing) != (order, wanted.narrowing):
            raise BadCursor
        if wanted.round not in (None, cursor_round):
            raise BadCursor
        number = cursor_round
    scores = scores_of(session, job_id, number)
    if scores is None:
        return OodSamplePage(items=[], next_cursor=None, round=None, epoch=None, total=0)
    indices = _in_order(session, job_id, scores, wanted, order)
    found = Slice(
        _items(scores, indices[start : start + limit + 1], rounds.picks(session, job_id)),
        limit,
        lambda taken, _: encode_cursor(session, order, wanted.narrowing, scores.round, start + taken),
    )
    shown = {"round": scores.round, "epoch": scores.epoch, "total": len(indices)}
    return OodSamplePage.of(found, lambda item: item, **shown)


def export(session: Session, job_id: str, wanted: OodFilter, order: OodOrder) -> Iterator[str]:
    """The samples of all pages as CSV, in blocks of lines. Streaming them needs no session.

    Raises:
        NotFound: there is no such job, the round was not run, or no round was run yet.
    """
    scores, indices, picks = _exported(session, job_id, wanted, order)

    def lines() -> Iterator[str]:
        yield "index,tailness,cluster,similarity,selected,selected_rounds\n"
        for start in range(0, len(indices), _EXPORT_BLOCK):
            block = slice(start, start + _EXPORT_BLOCK)
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            for item in _items(scores, indices[block], picks):
                chosen = " ".join(map(str, item.selected_rounds))
                flag = str(item.selected).lower()
                writer.writerow((item.index, item.tailness, item.cluster, item.similarity, flag, chosen))
            yield text.getvalue()

    return lines()


def export_parquet(session: Session, job_id: str, wanted: OodFilter, order: OodOrder) -> Iterator[bytes]:
    """The same as a Parquet file, in pieces. Scores that are not finite are null.

    Raises:
        NotFound: as for `export`.
    """
    scores, indices, picks = _exported(session, job_id, wanted, order)

    def pieces() -> Iterator[bytes]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {"index": pa.int64(), "tailness": pa.float32(), "cluster": pa.int32(), "similarity": pa.float32()}
        schema = pa.schema({**types, "selected": pa.bool_(), "selected_rounds": pa.list_(pa.int32())})
        outbox = Outbox()
        with pq.ParquetWriter(outbox, schema) as writer:
            for start in range(0, len(indices), _PARQUET_BLOCK):
                index = indices[start : start + _PARQUET_BLOCK]
                columns: list[NDArray[Any]] = [
                    index,
                    scores.tailness[index],
                    scores.cluster[index],
                    scores.similarity[index],
                ]
                arrays = [
                    pa.array(column, kind, mask=~np.isfinite(column))
                    for column, kind in zip(columns, types.values(), strict=True)
                ]
                chosen = pa.array(list(_rounds_of(index, picks)), pa.list_(pa.int32()))
                writer.write_batch(pa.record_batch([*arrays, pa.array(scores.selected[index]), chosen], schema=schema))
                yield outbox.take()
        yield outbox.take()

    return pieces()


def _exported(
    session: Session, job_id: str, wanted: OodFilter, order: OodOrder
) -> tuple[PoolScores, NDArray[np.int64], Picks]:
    """Scores, the indices that pass in their order, and all picks.

    Raises:
        NotFound: there is no such job, the round was not run, or no round was run yet.
    """
    scores = scores_of(session, job_id, wanted.round)
    if scores is None:
        raise NotFound("This job has had no sampling round yet.")
    return scores, _in_order(session, job_id, scores, wanted, order), rounds.picks(session, job_id)


def sample(session: Session, job_id: str, index: int, number: int | None = None) -> OodSampleDetail:
    """One pool image in a round, by default the last, and over all rounds.

    Raises:
        NotFound: there is no such job or round, or no round has seen the image.
    """
    history = rounds.sample_history(session, job_id, index, MOST_ROUNDS)
    if not history:
        find(session, job_id)
        raise NotFound(f"No sampling round of this job has seen an OOD image {index}.")
    scores = scores_of(session, job_id, number)
    found = rounds.get(session, job_id, scores.round) if scores is not None else None
    assert scores is not None and found is not None  # there is a history, and rounds stay
    cluster, similarity = int(scores.cluster[index]), scores.similarity[index]
    alike = scores.similarity[scores.cluster == cluster]
    return OodSampleDetail(
        index=index,
        tailness=float(scores.tailness[index]),
        cluster=cluster,
        similarity=float(similarity),
        selected=bool(scores.selected[index]),
        selected_rounds=[seen.round for seen in history if seen.selected],
        round=scores.round,
        standing=Standing(
            percentile=float((scores.tailness < scores.tailness[index]).mean()),
            cluster_rank=1 + int(np.count_nonzero(alike > similarity)),
            cluster_size=len(alike),
            budget=found.clusters[cluster]["budget"],
        ),
        rounds=[
            OodSampleRound(
                round=seen.round,
                epoch=seen.epoch,
                tailness=seen.tailness,
                cluster=seen.cluster,
                similarity=seen.similarity,
                selected=seen.selected,
            )
            for seen in history
        ],
    )


def scores_of(session: Session, job_id: str, number: int | None) -> PoolScores | None:
    """Scores of the round, by default the last. None before the first round.

    Raises:
        NotFound: there is no such job, or the round was not run.
    """
    scores = rounds.pool_scores(session, job_id, number)
    if scores is None:
        find(session, job_id)  # only now: a job with a round exists
        if number is not None:
            raise NotFound(f"This job has had no sampling round {number}.")
    return scores


def _in_order(
    session: Session, job_id: str, scores: PoolScores, wanted: OodFilter, order: OodOrder
) -> NDArray[np.int64]:
    columns: dict[str, NDArray[Any]] = {
        "tailness": scores.tailness,
        "similarity": scores.similarity,
        "cluster": scores.cluster,
    }
    before = None if wanted.change is None else rounds.selected(session, job_id, scores.round - 1)
    return ordered(wanted.indices(scores, before), columns, order)


def _items(scores: PoolScores, indices: NDArray[np.int64], picks: Picks) -> Generator[OodSample, None, None]:
    """The samples as a response shows them."""
    columns = (scores.tailness, scores.cluster, scores.similarity, scores.selected)
    rows = zip(indices.tolist(), *(column[indices].tolist() for column in columns), strict=True)
    chosen = _rounds_of(indices, picks)
    for (index, tailness, cluster, similarity, selected), selected_rounds in zip(rows, chosen, strict=True):
        yield OodSample(
            index=index,
            tailness=tailness,
            cluster=cluster,
            similarity=similarity,
            selected=selected,
            selected_rounds=selected_rounds,
        )


def _rounds_of(indices: NDArray[np.int64], picks: Picks) -> Iterator[list[int]]:
    """The rounds that picked each image."""
    begins, ends = (np.searchsorted(picks.index, indices, side) for side in ("left", "right"))
    return (picks.round[begin:end].tolist() for begin, end in zip(begins, ends, strict=True))
