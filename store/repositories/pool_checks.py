"""Checks of OOD pools. What they share with other work on checkpoints is in checkpoint_work.py."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import PoolCheck
from store.repositories.pages import Slice, keyset_page
from store.statuses import WorkStatus


def page(session: Session, pool_id: str, limit: int, cursor: str | None) -> Slice[PoolCheck]:
    """A page of one pool's checks, newest first.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    mine = select(PoolCheck).where(PoolCheck.ood_pool_id == pool_id)
    return keyset_page(session, mine, PoolCheck, "-created_at", limit, cursor)


def latest_result(session: Session, pool_id: str, dataset_id: str) -> dict[str, Any] | None:
    """The result of the last check of a pool against a data set; None without one."""
    done = select(PoolCheck.result).where(
        PoolCheck.ood_pool_id == pool_id,
        PoolCheck.dataset_id == dataset_id,
        PoolCheck.status == WorkStatus.SUCCEEDED,
    )
    return session.scalar(done.order_by(PoolCheck.finished_at.desc(), PoolCheck.id.desc()).limit(1))
