"""Tailness of the ID training images after every epoch. Scores are packed, one row per epoch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import LargeBinary, func, select
from sqlalchemy.orm import Session

from store.models import TailnessEpoch

FLOAT32 = np.dtype("<f4")


def latest_epoch(session: Session, job_id: str) -> int | None:
    return session.scalar(select(func.max(TailnessEpoch.epoch)).where(TailnessEpoch.job_id == job_id))


def scores(session: Session, job_id: str, epoch: int) -> NDArray[np.float32] | None:
    """(N,) tailness after `epoch` (1-based), or None when none was recorded."""
    packed = session.scalar(
        select(TailnessEpoch.scores).where(TailnessEpoch.job_id == job_id, TailnessEpoch.epoch == epoch)
    )
    return None if packed is None else np.frombuffer(packed, FLOAT32)


def class_means(session: Session, job_id: str, epoch: int | None) -> list[tuple[int, list[float | None]]]:
    """(epoch, mean per class) of `epoch`, or of every recorded epoch if None."""
    statement = select(TailnessEpoch.epoch, TailnessEpoch.class_means).where(TailnessEpoch.job_id == job_id)
    if epoch is not None:
        statement = statement.where(TailnessEpoch.epoch == epoch)
    return [(number, means) for number, means in session.execute(statement.order_by(TailnessEpoch.epoch))]


def history(session: Session, job_id: str, index: int) -> list[tuple[int, float]]:
    """(epoch, tailness) of one sample. The database extracts its four bytes from each row.

    Args:
        session: a session.
        job_id: the job.
        index: the sample's index, below MOST_IMAGES.
    """
    packed = func.substr(TailnessEpoch.scores, index * FLOAT32.itemsize + 1, FLOAT32.itemsize, type_=LargeBinary)
    rows = session.execute(
        select(TailnessEpoch.epoch, packed).where(TailnessEpoch.job_id == job_id).order_by(TailnessEpoch.epoch)
    )
    return [(epoch, float(np.frombuffer(value, FLOAT32)[0])) for epoch, value in rows if value]
