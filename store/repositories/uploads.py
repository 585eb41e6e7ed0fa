"""Files that clients sent."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.models import Registered, Upload, leased_models, utc_now
from store.repositories.pages import Slice, keyset_page

_LAST_USED = func.coalesce(Upload.used_at, Upload.created_at)


def add(session: Session, upload: Upload) -> None:
    session.add(upload)
    session.flush()


def get(session: Session, upload_id: str) -> Upload | None:
    return session.get(Upload, upload_id)


def lock(session: Session, upload_id: str) -> Upload | None:
    """The upload, locked for this transaction. Nobody removes it before the transaction ends."""
    return session.get(Upload, upload_id, with_for_update=True)


def use(session: Session, upload_id: str) -> Upload | None:
    """The upload, for a registration that is being added in the same transaction."""
    upload = lock(session, upload_id)
    if upload is not None:
        upload.used_at = utc_now()
    return upload


def page(session: Session, limit: int, cursor: str | None) -> Slice[Upload]:
    """A page of uploads, newest first.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    return keyset_page(session, select(Upload), Upload, "-created_at", limit, cursor)


def total_bytes(session: Session) -> int:
    """Bytes of all stored uploads."""
    return int(session.scalar(select(func.coalesce(func.sum(Upload.bytes), 0))) or 0)


def remove(session: Session, upload: Upload) -> None:
    session.delete(upload)
    session.flush()


def unused_since(session: Session, before: dt.datetime) -> list[str]:
    """Ids of the uploads that no registration has named since then."""
    return list(session.scalars(select(Upload.id).where(before > _LAST_USED)))


def remove_unused(session: Session, upload_id: str, before: dt.datetime) -> bool:
    """Delete the row of an upload that nobody has used since then, and that nobody reads.

    Returns:
        Whether it was deleted.
    """
    upload = lock(session, upload_id)
    if upload is None or last_used(upload) >= before or is_awaited(session, upload_id):
        return False
    remove(session, upload)
    return True


def last_used(upload: Upload) -> dt.datetime:
    """When it was sent, or a registration last named it."""
    return upload.used_at or upload.created_at


def is_awaited(session: Session, upload_id: str) -> bool:
    """Whether an unfinished registration uses this upload."""
    return upload_id in awaited(session)


def awaited(session: Session) -> set[str]:
    """Ids of all uploads that unfinished registrations use."""
    found: set[str] = set()
    for model in leased_models(Registered):
        for spec in session.scalars(select(model.spec).where(model.status == model.waiting)):
            parts = (spec["source"], spec.get("long_tail") or {})
            found.update(part["upload_id"] for part in parts if part.get("upload_id"))
            found.update(name for name in (spec.get("lists") or {}).values() if name)
    return found
