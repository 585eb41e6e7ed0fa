"""Files that clients sent."""

from __future__ import annotations

from sqlalchemy.orm import Session

from store.models import Upload


def add(session: Session, upload: Upload) -> None:
    session.add(upload)
    session.flush()


def get(session: Session, upload_id: str) -> Upload | None:
    return session.get(Upload, upload_id)
