"""Tailness of the ID training images after every epoch. Scores are packed, one row per epoch."""

from __future__ import annotations

from collections.abc import Sequence

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


def epochs(session: Session, job_id: str, until: int | None) -> list[int]:
    """The recorded epochs in order, at most until this one."""
    mine = select(TailnessEpoch.epoch).where(TailnessEpoch.job_id == job_id)
    if until is not None:
        mine = mine.where(TailnessEpoch.epoch <= until)
    return list(session.scalars(mine.order_by(TailnessEpoch.epoch)))


def class_means(session: Session, job_id: str, epochs: Sequence[int]) -> list[list[float | None]]:
    """The mean of each class after each of these epochs, without those that were not recorded."""
    mine = select(TailnessEpoch.class_means).where(TailnessEpoch.job_id == job_id, TailnessEpoch.epoch.in_(epochs))
    return list(session.scalars(mine.order_by(TailnessEpoch.epoch)))


def history(session: Session, job_id: str, index: int, epochs: Sequence[int]) -> list[tuple[int, float]]:
    """(epoch, tailness) of one sample. The database extracts its four bytes from each row.

    Args:
        session: a session.
        job_id: the job.
        index: the sample's index, below MOST_IMAGES.
        epochs: the epochs to read.
    """
    packed = func.substr(TailnessEpoch.scores, index * FLOAT32.itemsize + 1, FLOAT32.itemsize, type_=LargeBinary)
    rows = session.execute(
        select(TailnessEpoch.epoch, packed)
        .where(TailnessEpoch.job_id == job_id, TailnessEpoch.epoch.in_(epochs))
        .order_by(TailnessEpoch.epoch)
    )
    return [(epoch, float(np.frombuffer(value, FLOAT32)[0])) for epoch, value in rows if value]
