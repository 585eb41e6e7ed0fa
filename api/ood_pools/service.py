"""Rules of OOD pools."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api import registration
from api.ood_pools.schemas import NewOodPool
from store.models import OodPool
from store.repositories import registrations


def register(session: Session, wanted: NewOodPool) -> OodPool:
    """Queue the registration of an OOD pool.

    Raises:
        Unprocessable: the source does not exist. Or the images take too much room, or are large
            and that is not accepted.
    """
    registration.check_source(session, wanted.source, wanted)
    registration.check_cost(session, wanted.source, wanted, wanted.accept_cost)
    pool = OodPool(name=wanted.name, spec=wanted.model_dump(mode="json", exclude={"name"}))
    registrations.add(session, pool)
    return pool
