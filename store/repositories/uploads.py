"""Files that clients sent."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import Registered, Upload, leased_models


def add(session: Session, upload: Upload) -> None:
    session.add(upload)
    session.flush()


def get(session: Session, upload_id: str) -> Upload | None:
    return session.get(Upload, upload_id)


def hold(session: Session, upload_id: str) -> Upload | None:
    """The upload, which cannot be deleted before the end of this transaction."""
    return session.get(Upload, upload_id, with_for_update={"read": True})


def lock(session: Session, upload_id: str) -> Upload | None:
    """The upload, locked for this transaction.

    Registrations that `hold` it have been stored, or wait.
    """
    return session.get(Upload, upload_id, with_for_update=True)


def remove(session: Session, upload: Upload) -> None:
    session.delete(upload)
    session.flush()


def is_awaited(session: Session, upload_id: str) -> bool:
    """Whether an unfinished registration uses this upload."""
    for model in leased_models(Registered):
        for spec in session.scalars(select(model.spec).where(model.status == model.waiting)):
            parts = (spec["source"], spec.get("long_tail") or {})
            lists = spec.get("lists") or {}
            if upload_id in {*(part.get("upload_id") for part in parts), *lists.values()}:
                return True
    return False
