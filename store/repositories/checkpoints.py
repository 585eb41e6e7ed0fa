"""States that a run can resume from."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import Checkpoint
from store.repositories.pages import Slice, keyset_page


def get(session: Session, checkpoint_id: str) -> Checkpoint | None:
    found = session.get(Checkpoint, checkpoint_id)
    return found if found is not None and found.usable else None


def latest(session: Session, job_id: str) -> Checkpoint | None:
    mine = select(Checkpoint).where(Checkpoint.job_id == job_id, Checkpoint.usable)
    return session.scalar(mine.order_by(Checkpoint.step.desc(), Checkpoint.created_at.desc()).limit(1))


def page(session: Session, job_id: str, limit: int, cursor: str | None) -> Slice[Checkpoint]:
    """A page of a job's checkpoints, newest first.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    mine = select(Checkpoint).where(Checkpoint.job_id == job_id, Checkpoint.usable)
    return keyset_page(session, mine, Checkpoint, "-created_at", limit, cursor)


def steps(session: Session, checkpoint_ids: Collection[str]) -> dict[str, int]:
    """The optimiser steps behind each of these checkpoints, by id."""
    rows = session.execute(select(Checkpoint.id, Checkpoint.step).where(Checkpoint.id.in_(checkpoint_ids)))
    return {row.id: row.step for row in rows}
