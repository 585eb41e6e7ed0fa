"""Files that clients sent."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from colt_core.data.spec import ImageLists
from store.models import Registered, Score, UnfinishedUpload, Upload, leased_models, utc_now
from store.repositories.pages import Slice, keyset_page

# Where the specification of a registration may name an upload.
_NAMED = (("source", "upload_id"), ("long_tail", "upload_id"), *(("lists", part) for part in ImageLists.model_fields))
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
    """Bytes of all stored uploads, and of what has arrived of unfinished ones."""
    sums = (func.sum(Upload.bytes), func.sum(UnfinishedUpload.arrived))
    return sum(int(session.scalar(select(func.coalesce(found, 0))) or 0) for found in sums)


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
    """Whether an unfinished registration or score uses this upload."""
    return upload_id in awaited(session)


def awaited(session: Session) -> set[str]:
    """Ids of all uploads that unfinished registrations and scores use."""
    unfinished = (Score.waiting, *Score.in_work)
    found = set(session.scalars(select(Score.upload_id).where(Score.status.in_(unfinished))))
    for model in leased_models(Registered):
        # Only these values: a row may hold names of thousands of classes, and there may be many.
        named = select(*(model.spec[path].as_string() for path in _NAMED))
        for ids in session.execute(named.where(model.status == model.waiting)):
            found.update(upload_id for upload_id in ids if upload_id)
    return found
