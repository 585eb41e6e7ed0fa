"""`colt health`: check the heartbeat of this machine's worker, as a container's health check."""

from __future__ import annotations

import socket

from sqlalchemy.exc import SQLAlchemyError

from cli.errors import Refused
from store.database import reading
from store.models import utc_now
from store.repositories import workers
from store.settings import get_settings


def check_worker() -> int:
    """Check that this machine's worker has sent a recent heartbeat.

    Its process alone shows nothing: a connected worker may do no work.

    Returns:
        0, the exit code.

    Raises:
        Refused: when there is no recent heartbeat, or the database does not answer.
    """
    host, silence = socket.gethostname(), get_settings().worker_silence_seconds
    try:
        with reading() as session:
            beat = workers.last_beat(session, host)
    except SQLAlchemyError as error:
        raise Refused(f"the database does not answer: {getattr(error, 'orig', None) or error}") from error
    if beat is None:
        raise Refused(f"no worker on {host} has sent a heartbeat. Start one with `colt worker`, and see its log.")
    age = (utc_now() - beat).total_seconds()
    if age > silence:
        raise Refused(f"the worker on {host} has sent no heartbeat for {age:.0f} s. See its log, and restart it.")
    print(f"The worker on {host} sent its last heartbeat {age:.0f} s ago.")
    return 0
