"""Rules of OOD pools."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api import registration
from api.ood_pools.schemas import NewOodPool
from store.models import OodPool


def register(session: Session, wanted: NewOodPool, submitter: str | None = None) -> OodPool:
    """Queue the registration of an OOD pool.

    Args:
        submitter: id of the token that asks; None without a token.

    Raises:
        TooManyRequests: the token has too many that wait.
        Unprocessable: the source does not exist. Or the images take too much room, or are large
            and that is not accepted.
    """
    size = registration.check_source(session, wanted.source, wanted)
    registration.check_cost(session, wanted.source, wanted, wanted.accept_cost)
    pool = OodPool(name=wanted.name, spec=wanted.model_dump(mode="json", exclude={"name"}))
    return registration.queue(session, pool, submitter, size)
