"""Idempotency keys of the requests that jobs and experiments came from."""

from __future__ import annotations

import datetime as dt
from typing import TypeVar

from sqlalchemy import Update, select, update
from sqlalchemy.orm import Session

from store.models import Experiment, Job

R = TypeVar("R", Job, Experiment)


def with_key(session: Session, model: type[R], idempotency_key: str, since: dt.datetime) -> R | None:
    """The row that was submitted with this key since then. An older one gives the key free."""
    row = session.scalar(select(model).where(model.idempotency_key == idempotency_key))
    if row is not None and row.created_at < since:
        session.execute(_without_key(model).where(model.id == row.id))
        return None
    return row


def forget_keys(session: Session, before: dt.datetime) -> None:
    """Give the keys of all rows free that were submitted before."""
    for model in (Job, Experiment):
        late = (model.idempotency_key.is_not(None), model.created_at < before)
        session.execute(_without_key(model).where(*late))


def _without_key(model: type[Job | Experiment]) -> Update:
    return update(model).values(idempotency_key=None).execution_options(synchronize_session=False)
