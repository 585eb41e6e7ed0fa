"""`colt token create`."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from cli.errors import Refused
from store.database import writing
from store.repositories.tokens import create_token


def create(name: str, scopes: list[str]) -> int:
    """Make a token and print it; only its hash is kept.

    Raises:
        Refused: when the database cannot be reached, or was never migrated.
    """
    try:
        with writing() as session:
            token = create_token(session, name, scopes)
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip()
        raise Refused(f"no token could be kept: {cause}. Has `colt migrate` been run?") from error
    print(token)
    return 0
