"""Analyses of a job's checkpoints."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import Analysis
from store.repositories.pages import Slice, keyset_page


def add(session: Session, analysis: Analysis) -> None:
    session.add(analysis)
    session.flush()


def page(session: Session, job_id: str, kind: str | None, limit: int, cursor: str | None) -> Slice[Analysis]:
    """Newest first."""
    mine = select(Analysis).where(Analysis.job_id == job_id)
    if kind is not None:
        mine = mine.where(Analysis.kind == kind)
    return keyset_page(session, mine, Analysis, "-created_at", limit, cursor)


def get(session: Session, analysis_id: str) -> Analysis | None:
    return session.get(Analysis, analysis_id)


def same(session: Session, checkpoint_id: str, config: dict[str, Any]) -> Analysis | None:
    """The latest analysis of this checkpoint that was asked for in the same way and has not failed, or None."""
    alike = select(Analysis).where(
        Analysis.checkpoint_id == checkpoint_id, Analysis.kind == config["kind"], Analysis.status != "failed"
    )
    # Compared here: the engines do not agree on when two JSON documents are equal.
    newest_first = session.scalars(alike.order_by(Analysis.created_at.desc(), Analysis.id.desc()))
    return next((row for row in newest_first if row.config == config), None)
