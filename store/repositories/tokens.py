"""API tokens: 256 random bits, stored as their sha256, shown once."""

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
        The token: the only time it can be seen.

    Raises:
        ValueError: for a scope other than `read` and `write`, or none.
    """
    unknown = set(scopes) - set(SCOPES)
    if unknown or not scopes:
        raise ValueError(f"scopes must be of {', '.join(SCOPES)}; got {', '.join(sorted(scopes)) or 'none'}")
    token = secrets.token_urlsafe(32)
    session.add(ApiToken(name=name, sha256=_hash(token), scopes=sorted(set(scopes))))
    session.flush()
    return token


def every(session: Session) -> list[ApiToken]:
    """All tokens' rows, oldest first."""
    return list(session.scalars(select(ApiToken).order_by(ApiToken.created_at, ApiToken.id)))


def revoke(session: Session, token_id: str) -> bool:
    """Delete a token's row; whoever holds the token is refused from then on.

    Returns:
        False when there is no such row.
    """
    return session.execute(delete(ApiToken).where(ApiToken.id == token_id).returning(ApiToken.id)).first() is not None


def find(session: Session, token: str) -> ApiToken | None:
    return session.scalar(select(ApiToken).where(ApiToken.sha256 == _hash(token)))


def any_exist(session: Session) -> bool:
    return session.scalar(select(ApiToken.id).limit(1)) is not None


def _hash(token: str) -> str:
    # A plain hash is enough: there is no dictionary of 256 random bits.
    return hashlib.sha256(token.encode()).hexdigest()
