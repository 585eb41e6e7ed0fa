"""What keeps the service going when something was lost: a heartbeat, expired leases, bells that nobody heard."""

from __future__ import annotations

import datetime as dt
import logging
import math
import time

from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from store import leases
from store.artifacts import get_artifacts
from store.broker import PREPARE, TRAIN, ring
from store.database import get_engine, reading, writing
from store.leases import Lease, LeasedModel
from store.migrate import DatabaseIsNewer, check_not_newer
from store.models import Analysis, Dataset, Evaluation, Job, OodPool, Worker, utc_now
from store.settings import get_settings
from worker import outcome
from worker.folder import WorkerFolder

LEASED: tuple[LeasedModel, ...] = (Job, Dataset, OodPool, Evaluation, Analysis)
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
            _beat(session, self._folder.worker_id)
            if self._gap() > settings.reconcile_seconds + settings.lease_seconds / 2:
                self._be_patient()
            rubbish = recover(session) if time.monotonic() >= self._recover_from else []
        for key in rubbish:
            get_artifacts().delete(key)
        with reading() as session:
            bells = [
                bell
                for bell, models in ((TRAIN, (Job,)), (PREPARE, (Dataset, OodPool, Evaluation, Analysis)))
                if leases.has_waiting(session, *models)
            ]
        for bell in bells:
            ring(bell)

    def _gap(self) -> float:
        """Seconds since the last beat, by the clock that saw more of them: leases end by wall time, but the monotonic
        clock stands still while a machine sleeps, and when the time is set. Set back, it counts as a gap too."""
        (steady, wall), self._beaten = self._beaten, (time.monotonic(), time.time())
        passed = self._beaten[0] - steady
        return passed + abs(self._beaten[1] - wall - passed)

    def _be_patient(self) -> None:
        """Recover nothing for one lease's time: what kept this worker from beating, such as an outage of the database,
        kept others from renewing their leases, and they do so as soon as they can."""
        self._recover_from = time.monotonic() + get_settings().lease_seconds


def recover(session: Session) -> list[str]:
    """Put back, or end, whatever is held under an expired lease.

    Returns:
        Artifact keys of lost registrations; to be deleted after the commit.
    """
    rubbish = []
    for model in LEASED:
        for row in leases.expired(session, model):
            assert row.lease_token is not None
            lease = Lease(model, row.id, row.lease_token)
            status = outcome.lost(session, lease, LOST, get_settings().max_attempts)
            lost = "%s %s was lost by %s and is %s again"
            log.warning(lost, model.__tablename__, row.id, row.worker_id, status, extra=lease.ids)
            if isinstance(row, Dataset | OodPool):
                rubbish.append(row.folder if status == outcome.FAILED else row.folder_of(lease.token))
    return rubbish


def _beat(session: Session, worker_id: str) -> None:
    now = utc_now()
    session.merge(Worker(id=worker_id, heartbeat_at=now))
    session.execute(delete(Worker).where(Worker.heartbeat_at < now - FORGET_WORKERS_AFTER))
