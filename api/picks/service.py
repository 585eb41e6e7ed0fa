"""What jobs picked from their pools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.compare.data import data_differences
from api.http.errors import Conflict, NotFound, Unprocessable
from api.jobs.service import find
from api.picks.archive import zipped
from api.picks.schemas import ComparedPick, ComparedPicks, Part
from api.tailness import ood_exports, ood_samples
from api.tailness.ood_samples import OodFilter
from colt_core.config import PretrainConfig
from store.models import Job, OodPool
from store.repositories import registrations, rounds
from store.repositories.pages import BadCursor, Slice, decode_cursor, encode_cursor
from store.repositories.rounds import Picks

MOST_ZIPPED = 10_000  # images in an archive
MOST_PIXEL_BYTES = 2**29  # of them together: seconds to pack at 32 px, half a minute at 224


def table(session: Session, job_id: str, round: int | None, cluster: int | None) -> Iterator[bytes]:
    """The picks of a round as CSV, in blocks of lines.

    Raises:
        NotFound: there is no such job, the round was not run, or no round was run yet.
        Conflict: its sampler picks training images.
    """
    _check_sampler(find(session, job_id))
    return ood_exports.as_csv(session, job_id, OodFilter(round, cluster, selected=True), "index")


def archive(session: Session, job_id: str, round: int | None, cluster: int | None) -> Iterator[bytes]:
    """The picks of a round as a zip archive of images, in pieces. Streaming it needs no session.

    Raises:
        NotFound, Conflict: as for `table`.
        Unprocessable: there are too many.
    """
    pool = _pool(session, find(session, job_id))
    scores = ood_samples.scores_of(session, job_id, round)
    if scores is None:
        raise NotFound("This job has had no sampling round yet.")
    lines = table(session, job_id, scores.round, cluster)  # of the same round, if another one ends meanwhile
    wanted = OodFilter(round, cluster, selected=True)
    ranking = ood_samples.ranking_of(session, job_id, scores, wanted, "index")
    size = ranking.total * 3 * (pool.image_size or 0) ** 2
    if ranking.total > MOST_ZIPPED or size > MOST_PIXEL_BYTES:
        found = f"{ranking.total:,} images with {size / 1e6:,.0f} MB of pixels"
        most = f"an archive holds at most {MOST_ZIPPED:,} with {MOST_PIXEL_BYTES / 1e6:,.0f} MB"
        raise Unprocessable(("?format", f"{found} are too many, as {most}; add cluster, or take csv"))
    return zipped(lines, pool.artifact, ranking.window(0, MOST_ZIPPED).index.tolist())


def compared(
    session: Session, job_ids: Sequence[str], part: Part, round: int | None, limit: int, cursor: str | None
) -> ComparedPicks:
    """What two jobs picked: the images of one part, and the sizes of all.

    Raises:
        NotFound: there is no such job, or one of them has not run the round.
        Conflict: one has no pool, or picks training images.
        Unprocessable: it is one job twice, or they pick from different pools, or not at all.
    """
    if job_ids[0] == job_ids[1]:
        raise Unprocessable(("?job_id", "names one job twice; name two jobs"))
    first, second = (find(session, job_id) for job_id in job_ids)
    pool = _pool(session, first)
    if _pool(session, second) is not pool and "ood_pool" in data_differences(session, [first, second]):
        what = f"'{first.name}' and '{second.name}' pick from different pools, whose images have nothing in common"
        raise Unprocessable(("?job_id", f"{what}; name two jobs with one pool"))
    ours, theirs = (_picks(session, job, round) for job in (first, second))
    images, others = _images(ours), _images(theirs)
    is_shared = _among(images, others)
    parts: dict[Part, NDArray[np.int32]] = {
        "shared": images[is_shared],
        "only_first": images[~is_shared],
        "only_second": others[~_among(others, images)],
    }
    start, chosen = 0, parts[part]
    asked = f"{first.id} {second.id} {part} {round}"
    if cursor is not None:
        told, after = decode_cursor(session, cursor, str, int)
        if told != asked:
            raise BadCursor
        start = int(np.searchsorted(chosen, after, side="right"))
    found = Slice(
        (int(index) for index in chosen[start : start + limit + 1]),
        limit,
        lambda _, index: encode_cursor(session, asked, index),
    )
    sizes = {name: len(indices) for name, indices in parts.items()}
    by_chance = (sizes["shared"] + sizes["only_first"]) * (sizes["shared"] + sizes["only_second"])
    return ComparedPicks.of(
        found,
        lambda index: ComparedPick(
            index=index, first_rounds=_rounds(ours, index), second_rounds=_rounds(theirs, index)
        ),
        job_ids=(first.id, second.id),
        round=round,
        shared_by_chance=by_chance / (pool.num_samples or 1),
        **sizes,
    )


def _check_sampler(job: Job) -> None:
    sampler = PretrainConfig.from_stored(job.config).sampler
    if sampler.picks and not sampler.uses_pool:
        raise Conflict(f"'{job.name}' picks no OOD images: sampler '{sampler.kind}' picks training images again.")


def _pool(session: Session, job: Job) -> OodPool:
    _check_sampler(job)
    pool = None if job.ood_pool_id is None else registrations.get(session, OodPool, job.ood_pool_id)
    if pool is None:
        raise Conflict(f"'{job.name}' has no OOD pool to pick from.")
    return pool


def _picks(session: Session, job: Job, round: int | None) -> Picks:
    picks = rounds.picks(session, job.id)
    if round is None:
        return picks
    if rounds.get(session, job.id, round) is None:
        raise NotFound(f"'{job.name}' has had no sampling round {round}.")
    wanted = picks.round == round
    return Picks(picks.index[wanted], picks.round[wanted])


def _images(picks: Picks) -> NDArray[np.int32]:
    """Each image once, ascending."""
    return picks.index[np.flatnonzero(np.diff(picks.index, prepend=-1))]


def _among(images: NDArray[np.int32], others: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(n,), which of ascending images are among others, which ascend too."""
    if not len(others):
        return np.zeros(len(images), bool)
    places = np.minimum(np.searchsorted(others, images), len(others) - 1)
    return np.equal(others[places], images)


def _rounds(picks: Picks, index: int) -> list[int]:
    begin, end = np.searchsorted(picks.index, np.array([index, index + 1], np.int32))
    return [int(number) for number in picks.round[begin:end]]
