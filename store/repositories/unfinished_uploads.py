"""Files that arrive in several requests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from store.models import UnfinishedUpload, Upload, UploadPart, utc_now


def add(session: Session, upload: UnfinishedUpload) -> None:
    session.add(upload)
    session.flush()


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(UnfinishedUpload)) or 0


def get(session: Session, upload_id: str) -> UnfinishedUpload | None:
    return session.get(UnfinishedUpload, upload_id)


def lock(session: Session, upload_id: str) -> UnfinishedUpload | None:
    """The upload, locked for this transaction."""
    return session.get(UnfinishedUpload, upload_id, with_for_update=True, populate_existing=True)


def append(session: Session, part: UploadPart) -> bool:
    """Add a part, if all before its start has arrived and nothing after it.

    Returns:
        False when another request has added one meanwhile, or the upload is gone. Then nothing is
        written.
    """
    here = UnfinishedUpload.id == part.upload_id, UnfinishedUpload.arrived == part.start
    moved = session.scalars(
        update(UnfinishedUpload)
        .where(*here)
        .values(arrived=part.start + part.bytes, touched_at=utc_now())
        .returning(UnfinishedUpload.id)
    ).all()
    if not moved:
        return False
    session.add(part)
    session.flush()
    return True


def parts(session: Session, upload_id: str) -> Sequence[UploadPart]:
    """In their order."""
    mine = select(UploadPart).where(UploadPart.upload_id == upload_id)
    return session.scalars(mine.order_by(UploadPart.start)).all()


def count_parts(session: Session, upload_id: str) -> int:
    mine = select(func.count()).select_from(UploadPart).where(UploadPart.upload_id == upload_id)
    return session.scalar(mine) or 0


def complete(session: Session, upload: UnfinishedUpload, whole: Upload) -> None:
    """Replace a locked unfinished upload by the whole one."""
    remove(session, upload)
    session.add(whole)
    session.flush()


def remove(session: Session, upload: UnfinishedUpload) -> None:
    session.delete(upload)
    session.flush()


def untouched_since(session: Session, before: dt.datetime) -> list[str]:
    """Ids of the uploads of which nothing has arrived since then."""
    return list(session.scalars(select(UnfinishedUpload.id).where(UnfinishedUpload.touched_at < before)))


def remove_untouched(session: Session, upload_id: str, before: dt.datetime) -> bool:
    """Delete the row of an upload of which nothing has arrived since then.

    Returns:
        Whether it was deleted.
    """
    upload = lock(session, upload_id)
    if upload is None or upload.touched_at >= before:
        return False
    remove(session, upload)
    return True
