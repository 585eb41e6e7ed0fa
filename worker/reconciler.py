"""What keeps the service going when something was lost: a heartbeat, expired leases, bells that
nobody heard."""

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
from worker.folder import WorkerFolder

FORGET_WORKERS_AFTER = dt.timedelta(hours=1)
LOST = "Its worker fell silent: it was killed, or its machine was"

log = logging.getLogger(__name__)


class Reconciler:
    """Runs in a thread of every worker; what one finds, the others need not."""

    def __init__(self, folder: WorkerFolder) -> None:
        self._folder = folder
        self._beaten = time.monotonic(), time.time()
        self._recover_from = -math.inf

    def run(self) -> None:
        """Reconcile for ever; an outage of the database or the broker is waited out."""
        self._be_patient()  # what was before the start, nobody here has seen
        away = False
        while not self._folder.stopping:
            try:
                check_not_newer(get_engine())
                self.once()
                away = False
            except DatabaseIsNewer as error:
                if not away:
                    log.error("neither beating nor taking work: %s", error)
                away = True
            except DBAPIError:
                self._be_patient()
                if not away:  # once an outage
                    log.warning("the database does not answer, or has no tables yet; trying on")
                away = True
            except Exception:
                log.exception("could not reconcile")
            time.sleep(get_settings().reconcile_seconds)

    def once(self) -> None:
        """Beat, take expired leases back, and ring for what waits."""
        settings = get_settings()
        with writing() as session:
            workers.beat(session, self._folder.worker_id, FORGET_WORKERS_AFTER)
            if self._gap() > settings.reconcile_seconds + settings.lease_seconds / 2:
                self._be_patient()
            rubbish = recover(session) if time.monotonic() >= self._recover_from else []
        for key in rubbish:
            get_artifacts().delete(key)
        with reading() as session:
            bells = [bell for bell in Bell if leases.has_waiting(session, *leased_models(bell=bell))]
        for bell in bells:
            ring(bell)

    def _gap(self) -> float:
        """Seconds since the last beat, by the clock that saw more of them: leases end by wall time,
        but the monotonic clock stands still while a machine sleeps, and when the time is set. Set
        back, it counts as a gap too."""
        (steady, wall), self._beaten = self._beaten, (time.monotonic(), time.time())
        passed = self._beaten[0] - steady
        return passed + abs(self._beaten[1] - wall - passed)

    def _be_patient(self) -> None:
        """Recover nothing for one lease's time: what kept this worker from beating, such as an
        outage of the database, kept others from renewing their leases, and they do so as soon as
        they can."""
        self._recover_from = time.monotonic() + get_settings().lease_seconds


def recover(session: Session) -> list[str]:
    """Put back, or end, whatever is held under an expired lease.

    Returns:
        Artifact keys that lost work left; to be deleted after the commit.
    """
    rubbish = []
    for model in leased_models():
        for row in leases.expired(session, model):
            assert row.lease_token is not None
            lease = Lease(model, row.id, row.lease_token)
            status = outcome.lost(session, lease, LOST, get_settings().max_attempts)
            lost = "%s %s was lost by %s and is %s again"
            log.warning(lost, model.__tablename__, row.id, row.worker_id, status, extra=lease.ids)
            if (key := model.leftovers(row.id, lease.token, row)) is not None:
                rubbish.append(key)
    return rubbish
