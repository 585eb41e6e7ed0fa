"""`colt token create`, `list` and `revoke`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cli.errors import Refused
from store.database import get_engine, writing
from store.migrate import DatabaseIsNewer, check_not_newer
from store.repositories import tokens


@contextmanager
def _database() -> Iterator[Session]:
    """A writing session.

    Raises:
        Refused: when the database cannot be reached, was never migrated, or a newer version has
            migrated it.
    """
    try:
        check_not_newer(get_engine())
        with writing() as session:
            yield session
    except DatabaseIsNewer as error:
        raise Refused(str(error)) from error
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip()
        raise Refused(
            f"cannot access the tokens: {cause}. Check COLT_DATABASE_URL, and run `colt migrate` first."
        ) from error


def create(name: str, scopes: list[str]) -> int:
    """Make a token and print it. Only its hash is stored.

    Raises:
        Refused: when the database cannot be used.
    """
    with _database() as session:
        token = tokens.create_token(session, name, scopes)
    print(token)
    return 0


def show() -> int:
    """Print each token's id, date, scopes and name. A token itself cannot be shown again.

    Raises:
        Refused: when the database cannot be used.
    """
    with _database() as session:
        rows = tokens.every(session)
    for row in rows:
        print(f"{row.id}  {row.created_at:%Y-%m-%d %H:%M}  {' '.join(row.scopes):<10}  {row.name}")
    if not rows:
        print("There is no token.")
    return 0


def revoke(token_id: str) -> int:
    """Revoke a token.

    Raises:
        Refused: when no token has this id, or the database cannot be used.
    """
    with _database() as session:
        found = tokens.revoke(session, token_id)
    if not found:
        raise Refused(f"there is no token with the id {token_id}; `colt token list` shows them.")
    print("Revoked.")
    return 0
