"""Probes of a job's checkpoints."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import Evaluation
from store.repositories.pages import Slice, keyset_page


def add(session: Session, evaluation: Evaluation) -> None:
    session.add(evaluation)
    session.flush()


def page(session: Session, job_id: str, limit: int, cursor: str | None) -> Slice[Evaluation]:
    """Newest first."""
    mine = select(Evaluation).where(Evaluation.job_id == job_id)
    return keyset_page(session, mine, Evaluation, "-created_at", limit, cursor)


def get(session: Session, evaluation_id: str) -> Evaluation | None:
    return session.get(Evaluation, evaluation_id)


def latest_by_kind(session: Session, job_id: str) -> dict[str, Evaluation]:
    """Of each kind of probe the job's latest that succeeded: of its furthest checkpoint, then the newest."""
    done = select(Evaluation).where(Evaluation.job_id == job_id, Evaluation.status == "succeeded")
    rows = session.scalars(done.order_by(Evaluation.epoch, Evaluation.created_at, Evaluation.id))
    return {row.kind: row for row in rows}
