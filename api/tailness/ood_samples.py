"""Tailness of the OOD pool's images. Every sampling round measures it again."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.http.errors import NotFound
from api.jobs.service import find
from api.tailness.ranking import Ranking, Window
from api.tailness.schemas import (
    Change,
    OodOrder,
    OodSample,
    OodSampleDetail,
    OodSamplePage,
    OodSampleRound,
    Standing,
)
from store.pool_scores import COLUMNS, Block, Column, PoolScores, picked_between
from store.repositories import rounds
from store.repositories.pages import BadCursor, Slice, decode_cursor, encode_cursor

_LOST = "The scores of a round are no longer stored; `colt doctor` says more. Missing:"
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

    @property
    def columns(self) -> tuple[Column, ...]:
        """What `passing` reads."""
        by_tailness = self.min is not None or self.max is not None
        return (*(() if self.cluster is None else ("cluster",)), *(("tailness",) if by_tailness else ()))

    def passing(self, block: Block, before: NDArray[np.int32] | None = None) -> NDArray[np.bool_]:
        """(n,), which images of a block pass the filters.

        Args:
            block: with `columns`.
            before: ascending indices of what the round before picked; None if it is the first. Only
                `change` needs it.
        """
        passing = np.ones(len(block), bool)
        if self.cluster is not None:
            passing &= block.columns["cluster"] == self.cluster
        if self.selected is not None:
            passing &= block.selected == self.selected
        if self.min is not None:
            passing &= block.columns["tailness"] >= self.min
        if self.max is not None:
            passing &= block.columns["tailness"] <= self.max
        if self.change is not None:
            now, then = block.selected, np.zeros_like(passing)
            if before is not None:
                then = picked_between(before, block.start, block.start + len(block))
            passing &= {"entered": now & ~then, "stayed": now & then, "left": then & ~now}[self.change]
        return passing


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
    ranking = ranking_of(session, job_id, scores, wanted, order)
    found = Slice(
        _items(ranking.window(start, limit + 1), rounds.picks_by_round(session, job_id)),
        limit,
        lambda taken, _: encode_cursor(session, order, wanted.narrowing, scores.round, start + taken),
    )
    shown = {"round": scores.round, "epoch": scores.epoch, "total": ranking.total}
    return OodSamplePage.of(found, lambda item: item, **shown)


def sample(session: Session, job_id: str, index: int, number: int | None = None) -> OodSampleDetail:
    """One pool image in a round, by default the last, and over all rounds.

    Raises:
        NotFound: there is no such job or round, its scores are gone, or no round has seen the
            image.
    """
    try:
        history = rounds.sample_history(session, job_id, index, MOST_ROUNDS)
    except FileNotFoundError as error:
        raise NotFound(f"{_LOST} {error}") from error
    if not history:
        find(session, job_id)
        raise NotFound(f"No sampling round of this job has seen an OOD image {index}, or its scores were dropped.")
    scores = scores_of(session, job_id, number)
    found = rounds.get(session, job_id, scores.round) if scores is not None else None
    assert scores is not None and found is not None  # there is a history, and rounds stay
    mine = next(scores.blocks(*COLUMNS, start=index, stop=index + 1), None)
    if mine is None:
        raise NotFound(f"Round {scores.round} has not seen an OOD image {index}.")
    tailness, similarity, cluster = (mine.columns[name][0].item() for name in COLUMNS)
    below = alike = more_similar = 0
    for block in scores.blocks(*COLUMNS):
        in_cluster = block.columns["cluster"] == cluster
        below += int(np.count_nonzero(block.columns["tailness"] < tailness))
        alike += int(np.count_nonzero(in_cluster))
        more_similar += int(np.count_nonzero(in_cluster & (block.columns["similarity"] > similarity)))
    return OodSampleDetail(
        index=index,
        tailness=tailness,
        cluster=cluster,
        similarity=similarity,
        selected=bool(mine.selected[0]),
        selected_rounds=[seen.round for seen in history if seen.selected],
        round=scores.round,
        standing=Standing(
            percentile=below / scores.images,
            cluster_rank=1 + more_similar,
            cluster_size=alike,
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
        NotFound: there is no such job, the round was not run, or its scores are gone.
    """
    try:
        scores = rounds.pool_scores(session, job_id, number)
        if scores is not None and scores.images:
            next(scores.blocks("cluster", stop=1))  # whether the file is there, before an answer begins
    except rounds.ScoresDropped as error:
        raise NotFound(
            f"The scores of round {error.round} were dropped, as COLT_KEEP_ROUND_SCORES says. Its figures and its "
            "picks are kept: `GET /jobs/{id}/rounds` and `GET /compare/picks` have them."
        ) from error
    except FileNotFoundError as error:
        raise NotFound(f"{_LOST} {error}") from error
    if scores is None:
        find(session, job_id)  # only now: a job with a round exists
        if number is not None:
            raise NotFound(f"This job has had no sampling round {number}.")
    return scores


def ranking_of(session: Session, job_id: str, scores: PoolScores, wanted: OodFilter, order: OodOrder) -> Ranking:
    """The images of a round that pass the filters, in an order."""
    if wanted == OodFilter(wanted.round):
        return Ranking(scores, order)
    before = None if wanted.change is None else rounds.picked(session, job_id, scores.round - 1)
    return Ranking(scores, order, partial(wanted.passing, before=before), wanted.columns, wanted.narrowing)


def _items(window: Window, picks: list[tuple[int, NDArray[np.int32]]]) -> Generator[OodSample, None, None]:
    """The samples as a response shows them."""
    columns = (window.index, window.tailness, window.cluster, window.similarity, window.selected)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    index = window.index.astype(np.int32)
    chosen: list[list[int]] = [[] for _ in range(len(window))]
    for number, picked in picks:
        places = np.searchsorted(picked, index)  # many times quicker than np.isin, for a few images
        for place in np.flatnonzero(picked[np.minimum(places, len(picked) - 1)] == index) if len(picked) else ():
            chosen[place].append(number)
    for (number, tailness, cluster, similarity, selected), selected_rounds in zip(rows, chosen, strict=True):
        yield OodSample(
            index=number,
            tailness=tailness,
            cluster=cluster,
            similarity=similarity,
            selected=selected,
            selected_rounds=selected_rounds,
        )
