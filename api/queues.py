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
    """The place of a new row. Call it under `turns.lock`.

    Raises:
        TooManyRequests: the token has as many waiting rows as allowed.
    """
    most = get_settings().max_queued
    try:
        return turns.place(session, model, submitter, most, cost=cost, is_large=is_large)
    except turns.QueueFull as full:
        named = model.__tablename__.replace("_", " ")
        whose = "without a token" if submitter is None else "of this token"
        advice = "Wait until some have begun, cancel some, or let the operator raise COLT_MAX_QUEUED"
        detail = f"{full.waiting:,} {named} {whose} wait in the queue, which is the most allowed. {advice}."
        raise TooManyRequests(detail, _WAIT_SECONDS) from full
