"""The thread that sends heartbeats, recovers lost work and rings for waiting work."""

from __future__ import annotations

import datetime as dt
import logging
import math
import time

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from store import leases
from store.artifacts import get_artifacts
from store.bells import Bell
from store.broker import ring
from store.database import get_engine, reading, writing
from store.leases import Lease
from store.migrate import DatabaseIsNewer, check_not_newer
from store.models import leased_models
from store.repositories import workers
from store.settings import get_settings
from worker import outcome
from worker.devices import own_devices
from worker.folder import WorkerFolder

FORGET_WORKERS_AFTER = dt.timedelta(hours=1)
LOST = "Its worker fell silent: the process was killed, or its machine went down"

log = logging.getLogger(__name__)


class Reconciler:
    """Runs in a thread of every worker. Any of them can recover the lost work of another."""

    def __init__(self, folder: WorkerFolder) -> None:
        self._folder = folder
        self._beaten = time.monotonic(), time.time()
        self._recover_from = -math.inf

    def run(self) -> None:
        """Reconcile until the worker stops, also through outages of the database or the broker."""
        self._pause_recovery()  # leases may have expired only because everything was down before the start
        away = False
        while not self._folder.stopping:
            try:
                check_not_newer(get_engine())
                self.once()
                away = False
            except DatabaseIsNewer as error:
                if not away:
                    log.error("this worker sends no heartbeat and takes no work: %s", error)
                away = True
            except DBAPIError:
                self._pause_recovery()
                if not away:  # log each outage once
                    log.warning("the database does not answer, or has no tables yet; trying again")
                away = True
            except Exception:
                log.exception("could not reconcile")
            time.sleep(get_settings().reconcile_seconds)

    def once(self) -> None:
        """Send a heartbeat, recover work with expired leases, and ring for waiting work."""
        settings, devices = get_settings(), own_devices()
        with writing() as session:
            workers.beat(session, self._folder.worker_id, FORGET_WORKERS_AFTER, devices)
            if self._gap() > settings.reconcile_seconds + settings.lease_seconds / 2:
                self._pause_recovery()
            rubbish = recover(session) if time.monotonic() >= self._recover_from else []
        for key in rubbish:
            get_artifacts().delete(key)
        with reading() as session:
            bells = [bell for bell in Bell if leases.has_waiting(session, *leased_models(bell=bell))]
        for bell in bells:
            ring(bell)

    def _gap(self) -> float:
        """Seconds since the last heartbeat, by the clock that shows more of them.

        Leases expire by wall time. The monotonic clock misses the time in which a machine sleeps,
        and changes of the wall clock. A wall clock that is set back counts as a gap too.
        """
        (steady, wall), self._beaten = self._beaten, (time.monotonic(), time.time())
        passed = self._beaten[0] - steady
        return passed + abs(self._beaten[1] - wall - passed)

    def _pause_recovery(self) -> None:
        """Recover nothing for the duration of one lease.

        What kept this worker from its heartbeat, such as an outage of the database, also kept
        others from renewing their leases. They renew them as soon as they can.
        """
        self._recover_from = time.monotonic() + get_settings().lease_seconds


def recover(session: Session) -> list[str]:
    """Requeue or end all work whose lease has expired.

    Returns:
        Artifact keys of files that lost work has left. Delete them after the commit.
    """
    rubbish = []
    for model in leased_models():
        for row in leases.expired(session, model):
            assert row.lease_token is not None
            lease = Lease(model, row.id, row.lease_token)
            status = outcome.lost(session, lease, LOST, get_settings().max_attempts)
            lost = "%s %s was lost by worker %s; its status is now %s"
            log.warning(lost, model.__tablename__, row.id, row.worker_id, status, extra=lease.ids)
            if (key := model.leftovers(row.id, lease.token, row)) is not None:
                rubbish.append(key)
    return rubbish
