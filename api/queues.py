"""The place of new work in its queue."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api.http.errors import TooManyRequests
from store.models import Leased
from store.repositories import turns
from store.repositories.turns import Place
from store.settings import get_settings

_WAIT_SECONDS = 60


def place(
    session: Session, model: type[Leased], submitter: str | None, *, cost: int = turns.COST, is_large: bool = False
) -> Place:
    """The place of a new row in its queue. Call it under `turns.lock`.

    Raises:
        TooManyRequests: the token has as many waiting rows as allowed.
    """
    return places(session, model, submitter, 1, cost=cost, is_large=is_large)[0]


def places(
    session: Session,
    model: type[Leased],
    submitter: str | None,
    number: int,
    *,
    cost: int = turns.COST,
    is_large: bool = False,
) -> list[Place]:
    """The places of so many new rows, in their order. See `place`.

    Raises:
        TooManyRequests: the token would have more waiting rows than allowed.
    """
    most = get_settings().max_queued
    try:
        return turns.places(session, model, submitter, most, number, cost=cost, is_large=is_large)
    except turns.QueueFull as full:
        named = model.__tablename__.replace("_", " ")
        whose = "without a token" if submitter is None else "of this token"
        limit = "which is the most allowed" if number == 1 else f"and {number:,} more are over the limit of {most:,}"
        advice = "Wait until some have begun, cancel some, or let the operator raise COLT_MAX_QUEUED"
        detail = f"{full.waiting:,} {named} {whose} wait in the queue, {limit}. {advice}."
        raise TooManyRequests(detail, _WAIT_SECONDS) from full
