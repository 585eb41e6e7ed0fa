"""Dropping scores of the pool. The rounds stay, with their figures and picks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from store.models import RoundScores, SamplingRound
from store.pool_scores import UINT8

_ARRAYS = ("ood_tailness", "ood_cluster", "ood_similarity", "ood_selected")


@dataclass(frozen=True, slots=True)
class Kept:
    """Scores that a job keeps of one round."""

    round: int
    bytes: int
    file: str | None  # None: in the row, by an earlier version


def keeps(setting: str, number: int, last: int) -> bool:
    """Whether the scores of a round are kept.

    Args:
        setting: COLT_KEEP_ROUND_SCORES.
        number: of the round.
        last: the number of the job's last round.
    """
    if setting == "every" or number == last:
        return True
    return setting != "last" and number % int(setting.removeprefix("every:")) == 0


def kept(session: Session, job_id: str) -> list[Kept]:
    """The scores that a job keeps, by round."""
    files = select(RoundScores.round, RoundScores.bytes, RoundScores.file)
    found = session.execute(files.where(RoundScores.job_id == job_id, RoundScores.file.is_not(None))).all()
    has_row = select(RoundScores.round).where(RoundScores.job_id == job_id)
    lengths = [func.length(getattr(SamplingRound, name)) for name in _ARRAYS]
    size = lengths[0] + lengths[1] + lengths[2] + lengths[3]
    rows = select(SamplingRound.round, size).where(
        SamplingRound.job_id == job_id, SamplingRound.round.not_in(has_row), func.length(SamplingRound.ood_tailness) > 0
    )
    in_rows = [Kept(number, taken, None) for number, taken in session.execute(rows)]
    return sorted([*in_rows, *(Kept(*row) for row in found)], key=lambda scores: scores.round)


def jobs_with_rounds(session: Session) -> list[str]:
    """The ids of jobs that have had a round."""
    return list(session.scalars(select(SamplingRound.job_id).distinct().order_by(SamplingRound.job_id)))


def to_drop(session: Session, job_id: str, setting: str) -> list[Kept]:
    """The scores that COLT_KEEP_ROUND_SCORES lets go."""
    if setting == "every":
        return []
    last = session.scalar(select(func.max(SamplingRound.round)).where(SamplingRound.job_id == job_id)) or 0
    return [scores for scores in kept(session, job_id) if not keeps(setting, scores.round, last)]


def drop(session: Session, job_id: str, dropped: Iterable[Kept]) -> list[str]:
    """Forget these scores.

    Returns:
        The keys of files to delete once the transaction has committed.
    """
    keys = []
    for scores in dropped:
        if scores.file is not None:
            mine = RoundScores.job_id == job_id, RoundScores.round == scores.round
            session.execute(update(RoundScores).where(*mine).values(file=None))
            keys.append(scores.file)
            continue
        mine = SamplingRound.job_id == job_id, SamplingRound.round == scores.round
        selected = np.frombuffer(session.scalar(select(SamplingRound.ood_selected).where(*mine)) or b"", UINT8)
        picks = np.flatnonzero(selected).astype("<i4").tobytes()
        row = {"images": len(selected), "file": None, "bytes": 0, "sha256": "", "picks": picks}
        session.add(RoundScores(job_id=job_id, round=scores.round, **row))
        session.execute(update(SamplingRound).where(*mine).values(dict.fromkeys(_ARRAYS, b"")))
    return keys
