"""Requests that may be repeated: `Idempotency-Key`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import Depends, Header, Request
from sqlalchemy.orm import Session

from api.http.clients import token_id
from api.http.errors import Conflict
from store.models import utc_now
from store.repositories import request_keys
from store.repositories.request_keys import R
from store.settings import get_settings


async def _own(  # async, so that it needs no thread
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="The same key and body return the same answer, for a day and with the same token.",
        ),
    ] = None,
) -> str | None:
    """The key as it is stored: clients with different tokens may choose the same."""
    owner = token_id(request)
    return idempotency_key if idempotency_key is None or owner is None else f"{owner}:{idempotency_key}"


IdempotencyKey = Annotated[str | None, Depends(_own)]


def earlier(session: Session, model: type[R], idempotency_key: str | None, fingerprint: str) -> R | None:
    """The row that the same request queued before. None: there was none, or there is no key.

    Args:
        fingerprint: digest of the request's body.

    Raises:
        Conflict: the key belongs to a request with another body.
    """
    if idempotency_key is None:
        return None
    since = utc_now() - dt.timedelta(seconds=get_settings().idempotency_seconds)
    row = request_keys.with_key(session, model, idempotency_key, since)
    if row is not None and row.request_sha256 != fingerprint:
        raise Conflict("This Idempotency-Key was used before with another body. Choose a new key.")
    return row
