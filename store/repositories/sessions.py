"""Sessions of browsers. Each was opened with a token, and ends with it at the latest."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.models import ApiSession, ApiToken, utc_now
from store.repositories.secrets import hashed, new_secret

MOST_OPEN = 100  # sessions of a token; a program that signs in again and again fills no table


def begin(session: Session, token_id: str, seconds: float) -> str:
    """Open a session. Beyond MOST_OPEN of its token, the oldest ends.

    Returns:
        Its secret, for the cookie. Only the hash is stored.
    """
    latest = select(ApiSession.id).where(ApiSession.token_id == token_id)
    latest = latest.order_by(ApiSession.created_at.desc(), ApiSession.id.desc())
    session.execute(delete(ApiSession).where(ApiSession.id.in_(latest.offset(MOST_OPEN - 1))))
    secret = new_secret()
    expires_at = utc_now() + dt.timedelta(seconds=seconds)
    session.add(ApiSession(token_id=token_id, sha256=hashed(secret), expires_at=expires_at))
    session.flush()
    return secret


def find(session: Session, secret: str) -> ApiToken | None:
    """The token of an open session. None when it was ended or has expired, or its token was
    revoked."""
    opened = ApiSession.sha256 == hashed(secret), ApiSession.expires_at > utc_now()
    statement = select(ApiToken).join(ApiSession, ApiSession.token_id == ApiToken.id)
    return session.scalar(statement.where(*opened, ApiToken.revoked_at.is_(None)))


def end(session: Session, secret: str) -> None:
    """End a session. One that is not there is no error."""
    session.execute(delete(ApiSession).where(ApiSession.sha256 == hashed(secret)))


def remove_expired(session: Session) -> None:
    session.execute(delete(ApiSession).where(ApiSession.expires_at <= utc_now()))
