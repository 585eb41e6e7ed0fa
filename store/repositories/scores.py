"""Scores of unseen images. What all work on checkpoints shares is in checkpoint_work.py."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.models import Checkpoint, SamplingRound, Score
from store.repositories import uploads
from store.statuses import FINAL, WorkStatus


def scored_by(session: Session, job_id: str) -> tuple[int, Checkpoint] | None:
    """The number of the last sampling round whose weights a checkpoint holds, and this checkpoint.

    None: there is none, as in jobs of earlier versions, or before the first round.
    """
    found = session.execute(
        select(SamplingRound.round, Checkpoint)
        .join(Checkpoint, (Checkpoint.job_id == SamplingRound.job_id) & (Checkpoint.step == SamplingRound.step))
        .where(SamplingRound.job_id == job_id, Checkpoint.usable)
        .order_by(SamplingRound.round.desc(), Checkpoint.created_at.desc())
        .limit(1)
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def status(session: Session, score_id: str) -> WorkStatus | None:
    """None: it was deleted."""
    return session.scalar(select(Score.status).where(Score.id == score_id))


def let_go(session: Session, row: Score) -> None:
    """Delete the row of its upload, when the work has ended.

    An upload stays if the request says so, if a registration has named it, or if others wait for
    it.
    """
    session.flush()
    if row.keeps_upload or row.upload_removed:
        return
    upload = uploads.lock(session, row.upload_id)
    if upload is None or upload.used_at is not None or uploads.is_awaited(session, upload.id):
        return
    uploads.remove(session, upload)
    row.upload_removed = True


def remove_ended(session: Session, before: dt.datetime) -> None:
    """Delete the scores that ended before this time."""
    session.execute(delete(Score).where(Score.status.in_(FINAL), Score.finished_at < before))
