"""The Celery tasks: one for each bell, without arguments. This module imports no torch.

A message only says that there is work.
"""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from threading import Lock, Thread
from typing import Any

from celery import bootsteps, signals
from sqlalchemy.exc import DBAPIError

from store import logs
from store.artifacts import get_artifacts
from store.bells import Bell
from store.broker import get_celery, ring
from store.database import get_engine
from store.leases import Lease
from store.migrate import DatabaseIsNewer, check_not_newer
from store.models import leased_models
from store.settings import get_settings
from worker import programs, seats
from worker.claiming import take
from worker.folder import WorkerFolder, get_folder
from worker.receivers import receivers
from worker.reconciler import Reconciler
from worker.sender import Sender
from worker.side_by_side import MOST, Jobs
from worker.standing import Standing
from worker.supervisor import supervise
from worker.sweeper import Sweeper

app = get_celery()
log = logging.getLogger(__name__)

# Each lane does one piece of work at a time, so a registration never waits for a training or probe.
_lanes = {bell: Lock() for bell in Bell}
# A second place in a lane. It takes small work alone, which so passes large work under way.
_passing = {Bell.PREPARE: Lock()}
_jobs = Jobs()
_beside = [Lock() for _ in range(MOST - 1)]  # further places for jobs, if they may run side by side
standing = Standing(get_settings().score_warm_seconds)
PLACES = len(_lanes) + len(_passing) + len(_beside)
_taken: dict[str, float] = {}  # when work of each kind was last taken
LONGEST_REST_SECONDS = 60.0


def work_off(bell: Bell) -> None:
    """Do the waiting work of this bell's lane until none is left."""
    lane = next((lane for lane in _places(bell) if lane.acquire(blocking=False)), None)
    if lane is None:
        return  # the threads that hold the locks take all waiting work
    mine = get_folder()
    faults = 0  # failures in a row, of any work
    try:
        while not mine.stopping:
            check_not_newer(get_engine())
            _check_storage(mine)
            programs.wait_until_ready()
            if bell is Bell.TRAIN:
                broke_off = _train_next(mine)
            else:
                lease = take_next(bell, mine.worker_id, small_only=lane is not _lanes[bell])
                broke_off = None if lease is None else _work(lease, mine)
            if broke_off is None:
                return
            faults = faults + 1 if broke_off else 0
            if faults:
                with _jobs.resting() if bell is Bell.TRAIN else nullcontext():
                    _rest(mine, min(LONGEST_REST_SECONDS, 2.0 ** (faults - 1)))
    except DatabaseIsNewer as error:
        log.error("no more work is taken: %s", error)
    except DBAPIError:
        log.warning("the database does not answer; the reconciler will ring again")
    except OSError as error:
        log.warning("no work is taken: %s", error)
    finally:
        lane.release()


def _places(bell: Bell) -> list[Lock]:
    further = _beside if bell is Bell.TRAIN else []
    return [*(lanes[bell] for lanes in (_lanes, _passing) if bell in lanes), *further]


def _train_next(mine: WorkerFolder) -> bool | None:
    """Do the next job. Answers as `supervise`, or None if there is none that may run now."""
    if (seat := _jobs.sit(mine.worker_id)) is not None:
        try:
            return seats.work(seat, mine)
        finally:
            _jobs.left(seat)
    taken = _jobs.take(mine.worker_id)
    if taken is None:
        return None
    lease, threads = taken
    if _jobs.have_room:
        ring(Bell.TRAIN)  # for a job beside this one
    try:
        return _work(lease, mine, threads)
    finally:
        _jobs.ended(lease)


def _work(lease: Lease, mine: WorkerFolder, threads: int | None = None) -> bool:
    with logs.bound(**lease.ids):
        log.info("took %s %s", lease.model.__tablename__, lease.id)
        return supervise(lease, mine, threads, standing)


def take_next(bell: Bell, worker_id: str, *, small_only: bool) -> Lease | None:
    """Claim a row of this lane. Kinds take turns: first the one that has not been taken longest."""
    for model in sorted(leased_models(bell=bell), key=lambda model: _taken.get(model.noun, 0.0)):
        if (lease := take(model, worker_id, small_only=small_only)) is not None:
            _taken[model.noun] = time.monotonic()
            return lease
    return None


def _rest(mine: WorkerFolder, seconds: float) -> None:
    """Take no work for a while.

    A faulty machine would make all waiting work fail, though another machine could do it.
    """
    log.warning("the work failed; this worker takes no more for %g s", seconds)
    until = time.monotonic() + seconds
    while time.monotonic() < until and not mine.stopping:
        time.sleep(min(get_settings().poll_seconds, seconds))


def _check_storage(mine: WorkerFolder) -> None:
    """Check that files can be written.

    Otherwise work would fail at its first file and use up its attempts.

    Raises:
        OSError: when they cannot be written.
    """
    mine.check()
    get_artifacts().check()


def _answer(bell: Bell) -> None:
    def task() -> None:
        work_off(bell)

    app.task(task, name=bell.value)


for _bell in Bell:
    _answer(_bell)


def set_up_logging(**_: Any) -> None:
    """Log as the service does. Of libraries' messages only warnings and errors are logged."""
    logs.set_up(worker_id=get_folder().worker_id)
    for noisy in ("celery", "kombu", "httpcore"):  # which shows headers
        logging.getLogger(noisy).setLevel(logging.WARNING)


# A connected receiver replaces Celery's own set-up.
signals.setup_logging.connect(set_up_logging)


@signals.worker_ready.connect  # type: ignore[untyped-decorator]
def _on_ready(**_: Any) -> None:
    folder = get_folder()
    threads: list[Reconciler | Sweeper | Sender] = [Reconciler(folder), Sweeper(folder)]
    threads += [Sender(folder, work) for work in receivers(get_settings())]
    for work in threads:
        Thread(target=work.run, name=type(work).__name__, daemon=True).start()


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _on_shutdown(**_: Any) -> None:
    get_folder().stopping = True


class PutWorkBack(bootsteps.StartStopStep):  # type: ignore[misc]
    """Asks the tasks to stop when Celery ends for any reason.

    Celery waits for its tasks at its end. After an error of its own it sends no shutdown signal.
    """

    def close(self, _: Any) -> None:
        get_folder().stopping = True


app.steps["worker"].add(PutWorkBack)
