"""`python -m api`: serve HTTP."""

from __future__ import annotations

import logging
import sys

import uvicorn

from api.auth import is_loopback
from store.database import reading
from store.repositories import tokens
from store.settings import get_settings


def main() -> None:
    """Serve until a signal. Refuses to be reachable from other machines without a token."""
    settings = get_settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if not is_loopback(settings.host):
        with reading() as session:
            guarded = tokens.any_exist(session)
        if not guarded:
            sys.exit(
                f"Refusing to listen on {settings.host} without a token: other machines could reach this service. "
                "Create one with `colt token create NAME`, or set COLT_HOST=127.0.0.1."
            )
    # Open event streams would keep the server from stopping; their clients come back by themselves.
    uvicorn.run(
        "api.main:app",
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=3,
        server_header=False,
        access_log=False,
    )


if __name__ == "__main__":
    main()
