"""`colt token create`."""

from __future__ import annotations

from store.database import writing
from store.repositories.tokens import create_token


def create(name: str, scopes: list[str]) -> int:
    """Make a token and print it; only its hash is kept."""
    with writing() as session:
        token = create_token(session, name, scopes)
    print(token)
    return 0
