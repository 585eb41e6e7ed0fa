"""`python -m api`: serve HTTP."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

import uvicorn
from sqlalchemy.exc import DBAPIError

from api.http.connections import LimitedProtocol
from store import logs
from store.database import get_engine, reading
from store.home import make_home
from store.migrate import DatabaseIsNewer, check_not_newer
from store.repositories import tokens
from store.settings import get_settings


def main() -> None:
    """Serve until a signal arrives.

    Refuses to start on a database of a newer version. Refuses to start without a token where other
    machines can reach the service.
    """
    settings = get_settings()
    make_home(settings.home)
    logs.set_up()
    try:
        check_not_newer(get_engine())
    except DatabaseIsNewer as error:
        sys.exit(f"Refusing to start: {error}")
    except DBAPIError:
        logging.getLogger("api").warning("the database does not answer yet; requests fail until it does")
    if not settings.only_here:
        with reading() as session:
            closed = tokens.is_closed(session)
        if not closed:
            sys.exit(
                "Refusing to start without a token: COLT_HOST or COLT_ALLOWED_HOSTS lets other machines reach this "
                "service. Create a token with `colt token create NAME`, or leave both unset."
            )
    _interrupt_no_training()
    # Open event streams would keep the server from stopping. Their clients reconnect.
    uvicorn.run(
        "api.main:app",
        host=settings.host,
        port=settings.port,
        http=LimitedProtocol,
        proxy_headers=False,  # COLT_TRUSTED_PROXIES instead: uvicorn believes any program on this machine
        timeout_graceful_shutdown=3,
        # Clients and proxies keep an idle connection for less (httpx: 5 s, nginx: 60 s). If we
        # closed it first, a request on its way would be lost.
        timeout_keep_alive=75,
        ws="none",
        server_header=False,
        access_log=False,
        log_config=None,  # our handlers take uvicorn's lines too
    )


def _interrupt_no_training() -> None:
    # On a machine that also trains, a request then waits for the end of a time slice. It does not
    # interrupt a training step.
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


if __name__ == "__main__":
    main()
