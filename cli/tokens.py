"""`colt token create`, `list`, `revoke` and `open`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cli.errors import Refused
from colt_core.printed import UNPRINTED
from store.database import get_engine, writing
from store.migrate import DatabaseIsNewer, check_not_newer
from store.repositories import tokens

LONGEST_NAME = 100
OPEN = "There is no token. On this machine everybody may use the service; nobody can from another one."
CLOSED = (
    "There is no token, and the service stays closed: nobody can use it. Make a token with `colt token create NAME`, "
    "or let everybody on this machine in with `colt token open`."
)


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
        Refused: when the name cannot be shown in a list, or the database cannot be used.
    """
    if not name.strip() or len(name) > LONGEST_NAME or re.search(f"[{UNPRINTED}]", name):
        raise Refused(f"choose a name of 1 to {LONGEST_NAME} characters that can be seen.")
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
        rows, closed = tokens.every(session), tokens.is_closed(session)
    for row in rows:
        print(f"{row.id}  {row.created_at:%Y-%m-%d %H:%M}  {' '.join(row.scopes):<10}  {row.name}")
    if not rows:
        print(CLOSED if closed else OPEN)
    return 0


def revoke(token_id: str) -> int:
    """Revoke a token.

    Raises:
        Refused: when no token has this id, or the database cannot be used.
    """
    with _database() as session:
        found, left = tokens.revoke(session, token_id), tokens.every(session)
    if not found:
        raise Refused(f"there is no token with the id {token_id}; `colt token list` shows them.")
    print("Revoked, and signed out everywhere.")
    if not left:
        print(CLOSED)
    return 0


def open_again(*, confirmed: bool) -> int:
    """Let everybody on this machine use the service without a token, as before the first one.

    Args:
        confirmed: do not ask.

    Raises:
        Refused: when there are tokens, nobody confirms, or the database cannot be used.
    """
    if not confirmed:
        print("Every program and every user of this machine will read, change and delete everything without a token.")
        try:
            answer = input("Type `open` to confirm: ")
        except EOFError:
            answer = ""
        if answer.strip() != "open":
            raise Refused("nothing was changed. Type `open` to confirm, or use --yes.")
    with _database() as session:
        try:
            tokens.open_again(session)
        except tokens.StillGuarded as error:
            raise Refused("there are tokens; revoke them first (`colt token list` shows them).") from error
    print(OPEN)
    return 0
