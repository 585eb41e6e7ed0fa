"""Checks that `colt up` makes before it starts anything, so that a mistake shows as one line."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from cli.errors import Refused
from store.database import get_engine, reading
from store.home import make_home
from store.migrate import DatabaseIsNewer, upgrade
from store.repositories import tokens
from store.settings import Settings


def migrate() -> None:
    """Migrate the configured database to the newest schema.

    Raises:
        Refused: when the database cannot be reached, or a newer version has migrated it.
    """
    try:
        upgrade(get_engine())
    except DatabaseIsNewer as error:
        raise Refused(str(error)) from error
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip()
        raise Refused(f"the database cannot be migrated: {cause}. Check COLT_DATABASE_URL.") from error
    finally:
        get_engine().dispose()


@contextmanager
def sole_user(home: Path) -> Iterator[None]:
    """Lock the data folder. The kernel releases the lock when the process ends for any reason.

    Raises:
        Refused: when another process has locked it, or it cannot be made.
    """
    try:
        make_home(home)
        file = (home / "up.lock").open("a+")
    except OSError as error:
        raise Refused(
            f"cannot use the data folder {home}: {error.strerror}. Set COLT_HOME to another folder."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            raise Refused(
                f"another `colt up` (process {holder}) uses the data folder {home}. "
                "Stop it, or set COLT_HOME and COLT_PORT for a second one."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def check_port(settings: Settings) -> None:
    """Check that the API can listen on its port.

    Raises:
        Refused: when it cannot.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Refused(
                f"cannot listen on port {settings.port} of {settings.host}: {error.strerror}. "
                "Stop the program that uses it, or set COLT_PORT to another port."
            ) from error


def check_access(settings: Settings) -> None:
    """Check that the API may start with these settings.

    The API checks this too. Checking first saves the user three failed starts and a log.

    Raises:
        Refused: when other machines could reach the API, and clients need no token.
    """
    if settings.only_here:
        return
    with reading() as session:
        closed = tokens.is_closed(session)
    if not closed:
        raise Refused(
            "COLT_HOST or COLT_ALLOWED_HOSTS lets other machines reach this service, and no token exists. "
            "Make one with `colt token create NAME`, or leave both unset."
        )
