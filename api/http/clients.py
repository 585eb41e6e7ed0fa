"""Who a request counts for, where each client has only some of the places."""

from __future__ import annotations

from fastapi import Request


def token_id(request: Request) -> str | None:
    """Id of the token that an authorized request was made with; None on an open server."""
    found: str | None = getattr(request.state, "token_id", None)
    return found


def client_of(request: Request) -> str:
    """Who an authorized request counts for: its token, else its address."""
    return token_id(request) or address_of(request)


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""
