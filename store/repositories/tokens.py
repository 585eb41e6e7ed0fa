"""API tokens: 256 random bits. Only the sha256 is stored; the token is shown once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.models import ApiToken

SCOPES = ("read", "write")


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
    token = secrets.token_urlsafe(32)
    session.add(ApiToken(name=name, sha256=_hash(token), scopes=sorted(set(scopes))))
    session.flush()
    return token


def every(session: Session) -> list[ApiToken]:
    """All tokens' rows, oldest first."""
    return list(session.scalars(select(ApiToken).order_by(ApiToken.created_at, ApiToken.id)))


def revoke(session: Session, token_id: str) -> bool:
    """Delete a token's row. Requests with the token are refused from then on.

    Returns:
        False when there is no such row.
    """
    return session.execute(delete(ApiToken).where(ApiToken.id == token_id).returning(ApiToken.id)).first() is not None


def find(session: Session, token: str) -> ApiToken | None:
    return session.scalar(select(ApiToken).where(ApiToken.sha256 == _hash(token)))


def any_exist(session: Session) -> bool:
    return session.scalar(select(ApiToken.id).limit(1)) is not None


def _hash(token: str) -> str:
    # A plain hash is enough: 256 random bits cannot be guessed from a dictionary.
    return hashlib.sha256(token.encode()).hexdigest()
