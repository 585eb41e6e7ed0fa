"""`colt health`: whether the worker of this machine shows signs of life. Made for a container's
health check."""

from __future__ import annotations

import socket

from sqlalchemy.exc import SQLAlchemyError

from cli.errors import Refused
from store.database import reading
from store.models import utc_now
from store.repositories import workers
from store.settings import get_settings


def check_worker() -> int:
    """Look for a fresh heartbeat. That its process lives says nothing: a worker may be connected
    and do no work.

    Raises:
        Refused: when there is none.
    """
    host, silence = socket.gethostname(), get_settings().worker_silence_seconds
    try:
        with reading() as session:
            beat = workers.last_beat(session, host)
    except SQLAlchemyError as error:
        raise Refused(f"the database does not answer: {getattr(error, 'orig', None) or error}") from error
    if beat is None:
        raise Refused(f"no worker of {host} has reported")
    age = (utc_now() - beat).total_seconds()
    if age > silence:
        raise Refused(f"the worker of {host} has been silent for {age:.0f} s")
    print(f"The worker of {host} reported {age:.0f} s ago.")
    return 0
