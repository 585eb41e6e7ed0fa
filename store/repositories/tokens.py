"""API tokens. Only the sha256 is stored; the token is shown once.

The row of a revoked token stays. While there is any row, the service is closed: clients need a
token. So nobody opens it by revoking the last one.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from store.models import ApiSession, ApiToken, utc_now
from store.repositories.secrets import hashed, new_secret

SCOPES = ("read", "write")


class StillGuarded(Exception):
    """There are valid tokens, so the service cannot be opened."""


def create_token(session: Session, name: str, scopes: Collection[str]) -> str:
    """Make a token and keep its hash.

    Returns:
        The token. It cannot be shown again.

    Raises:
        ValueError: when `scopes` is empty or has another scope than `read` and `write`.
    """
    unknown = set(scopes) - set(SCOPES)
    if unknown or not scopes:
        raise ValueError(f"scopes must be among {', '.join(SCOPES)}; got {', '.join(sorted(scopes)) or 'none'}")
    token = new_secret()
    session.add(ApiToken(name=name, sha256=hashed(token), scopes=sorted(set(scopes))))
    session.flush()
    return token


def every(session: Session) -> list[ApiToken]:
    """The rows of all valid tokens, oldest first."""
    valid = select(ApiToken).where(ApiToken.revoked_at.is_(None))
    return list(session.scalars(valid.order_by(ApiToken.created_at, ApiToken.id)))


def revoke(session: Session, token_id: str) -> bool:
    """Revoke a token, and end its sessions. Requests with them are refused from then on.

    Returns:
        False when there is no such valid token.
    """
    valid = ApiToken.id == token_id, ApiToken.revoked_at.is_(None)
    revoked = session.execute(update(ApiToken).where(*valid).values(revoked_at=utc_now()).returning(ApiToken.id))
    found = revoked.first() is not None
    session.execute(delete(ApiSession).where(ApiSession.token_id == token_id))
    return found


def find(session: Session, token: str) -> ApiToken | None:
    """The row of a valid token."""
    return session.scalar(select(ApiToken).where(ApiToken.sha256 == hashed(token), ApiToken.revoked_at.is_(None)))


def is_closed(session: Session) -> bool:
    """Whether clients need a token: since the service was last open, one was made."""
    return session.scalar(select(ApiToken.id).limit(1)) is not None


def open_again(session: Session) -> None:
    """Let everybody call who reaches the service: forget all revoked tokens.

    Raises:
        StillGuarded: when there is a valid one.
    """
    if every(session):
        raise StillGuarded
    session.execute(delete(ApiToken))
