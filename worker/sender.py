"""A thread of every worker that sends something elsewhere.

It only reads what others have recorded. So no training waits for it, whatever the receiver does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from store.database import get_engine, writing
from store.migrate import DatabaseIsNewer, check_not_newer
from store.models import new_id
from store.repositories import sending
from store.repositories.sending import SendingLost
from store.settings import get_settings
from worker.folder import WorkerFolder

LONGEST_PAUSE = 300.0

log = logging.getLogger(__name__)


class ReceiverAway(Exception):
    """The receiver takes nothing now. The message says why, without an address or a secret."""


class Turn:
    """The right to send to one receiver, by a lease that one worker at a time has."""

    def __init__(self, receiver: str, token: str, folder: WorkerFolder) -> None:
        self._receiver = receiver
        self._token = token
        self._folder = folder

    def goes_on(self) -> bool:
        """Whether the worker was not asked to end."""
        return not self._folder.stopping

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A writing session that holds the lease, and extends it.

        Raises:
            SendingLost: another worker has it.
        """
        with writing() as session:
            sending.hold(session, self._receiver, self._token)
            yield session

    def keep(self) -> None:
        """Extend the lease between steps that take seconds.

        Raises:
            SendingLost: another worker has it.
        """
        with self.writing():
            pass


class Work(Protocol):
    """What is sent to one receiver."""

    receiver: str

    def is_due(self) -> bool:
        """Whether there is anything to send."""

    def send(self, turn: Turn) -> None:
        """Send all that is due.

        Raises:
            ReceiverAway: it is to be tried again, after longer pauses each time.
            SendingLost: another worker sends.
        """


class Sender:
    """Runs in a thread of every worker, one for each receiver."""

    def __init__(self, folder: WorkerFolder, work: Work) -> None:
        self._folder = folder
        self._work = work
        self._token = new_id()

    def run(self) -> None:
        """Send until the worker stops, also through outages of the receiver and the database."""
        faults = 0
        while not self._folder.stopping:
            try:
                check_not_newer(get_engine())
                self.once()
                if faults:
                    log.info("%s takes what it gets again", self._work.receiver)
                faults = 0
            except ReceiverAway as error:
                if not faults:  # log each outage once
                    log.warning("%s: %s; it gets later what it has missed", self._work.receiver, error)
                faults += 1
            except (SendingLost, DatabaseIsNewer, DBAPIError):
                pass  # another worker sends, or the reconciler logs it
            except Exception:
                log.exception("could not send to %s", self._work.receiver)
                faults += 1
            self._rest(min(get_settings().reconcile_seconds * 2.0 ** min(faults, 20), LONGEST_PAUSE))
        with suppress(DBAPIError), writing() as session:
            sending.release(session, self._work.receiver, self._token)

    def once(self) -> None:
        """Send what is due, unless another worker does.

        Raises:
            ReceiverAway, SendingLost: as `Work.send`.
        """
        if not self._work.is_due():
            return
        with writing() as session:
            mine = sending.take(session, self._work.receiver, self._token)
        if mine:
            self._work.send(Turn(self._work.receiver, self._token, self._folder))

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._folder.stopping:
            time.sleep(min(get_settings().poll_seconds, seconds))
