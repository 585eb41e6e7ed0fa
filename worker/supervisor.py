"""Supervising one piece of work.

The supervisor starts a process for the work, renews its lease, stops it on request and writes its
outcome.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import shutil
import signal
import time
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from store import leases
from store.artifacts import get_artifacts
from store.database import reading, writing
from store.leases import Lease, LeaseLost
from store.models import Job, Registered
from store.repositories import events
from store.settings import Settings, get_settings
from store.statuses import WorkStatus
from worker import outcome
from worker.describe import last_words
from worker.folder import WorkerFolder
from worker.handover import DIGESTS, SCRATCH, THREADS
from worker.patience import retry_transaction
from worker.programs import Program
from worker.standing import Standing

TAIL_BYTES = 16_384

log = logging.getLogger(__name__)


class TookTooLong(Exception):
    """The work was ended at its time limit. The message is for the user."""


def supervise(lease: Lease, folder: WorkerFolder, threads: int | None = None, standing: Standing | None = None) -> bool:
    """Do the work of a claimed row in a process of its own.

    Afterwards the row has its outcome and the scratch folder is removed.

    Args:
        threads: of the process, if it trains. None leaves it to torch.
        standing: has a process that may do the work, and keeps one that stays. None: no process
            outlives its work.

    Returns:
        Whether the work failed without progress or could not be started. The cause may be this
        machine.
    """
    settings = get_settings()
    log_path = settings.home / "logs" / lease.model.__tablename__ / f"{lease.id}.log"
    try:
        scratch = folder.scratch(lease.token)
        environment = {**os.environ, SCRATCH: str(scratch), DIGESTS: str(folder.digests)}
        if threads is not None:
            environment[THREADS] = str(threads)
        program = _begun(lease, environment, log_path, standing)
    except OSError as error:  # most likely memory or disk is full
        log.exception("cannot start work on %s", lease.id)
        reason = f"Its process could not be started: {error.strerror or error}"
        retry_transaction(lambda session: outcome.not_begun(session, lease, reason))
        return True
    stopped = True
    try:
        stopped = _watch(program, lease, folder, settings)
        _settle(lease, program.exit_code, stopped, log_path, settings)
    except TookTooLong as error:
        _fail(lease, str(error))
    except LeaseLost:
        pass  # the process has written its outcome, or another worker has the row, or it was deleted
    finally:
        if stopped or standing is None or not standing.keep(program):
            program.kill_group()
        shutil.rmtree(scratch, ignore_errors=True)
    return clean_up(lease)


def _begun(lease: Lease, environment: dict[str, str], log_path: Path, standing: Standing | None) -> Program:
    """A process that works on the row: one that stays from earlier work, or a new one.

    Raises:
        OSError: when none can be started.
    """
    if standing is not None and lease.model.stays and (program := standing.take(lease.model)) is not None:
        try:
            program.hand(lease)
            return program
        except OSError:  # it has just ended
            program.kill_group()
    return Program(lease, environment, log_path)


def _watch(program: Program, lease: Lease, folder: WorkerFolder, settings: Settings) -> bool:
    """Wait for the process to be done, and renew the lease meanwhile.

    Returns:
        Whether the process was asked to end.

    Raises:
        LeaseLost: when the lease is no longer valid.
        TookTooLong: when a registration reached its time limit. Its process was killed.
    """
    renewed = began = time.monotonic()
    limit = settings.registration_seconds if issubclass(lease.model, Registered) else math.inf
    asked: float | None = None
    while True:
        if program.done(within=settings.poll_seconds):
            return asked is not None
        if time.monotonic() - began > limit:
            program.kill_group()
            advice = "Register fewer or smaller images, or let the operator raise COLT_REGISTRATION_SECONDS"
            raise TookTooLong(f"The registration took longer than {limit:g} s. {advice}.")
        cancelling = False
        try:
            if time.monotonic() - renewed >= settings.lease_seconds / 3:
                with writing() as session:
                    leases.renew(session, lease, settings.lease_seconds)
                renewed = time.monotonic()
            with reading() as session:
                cancelling = leases.status(session, lease) == WorkStatus.CANCELLING
        except DBAPIError:
            log.warning("the database does not answer; the work continues")
        if asked is None and (cancelling or folder.stopping):
            asked = time.monotonic()
            program.terminate()
        elif asked is not None and time.monotonic() - asked > settings.stop_grace_seconds:
            log.warning("%s did not stop within %g s", lease.id, settings.stop_grace_seconds)
            program.kill_group()


def _fail(lease: Lease, reason: str) -> None:
    with contextlib.suppress(LeaseLost):
        retry_transaction(lambda session: outcome.failed(session, lease, reason))


def _settle(lease: Lease, code: int, stopped: bool, log_path: Path, settings: Settings) -> None:
    """Write the outcome, unless the process has done so.

    Raises:
        LeaseLost: when the process has written its outcome, or the lease is no longer valid.
    """

    def settle(session: Session) -> None:
        if stopped:
            outcome.interrupted(session, lease)
            return
        if lease.model is Job:
            leases.held(session, lease)
            events.append(session, lease.id, "log", {"lines": tail(log_path)})
        outcome.faulted(session, lease, reason_of(code), settings.max_attempts)

    retry_transaction(settle)


def reason_of(code: int) -> str:
    """How a process ended, in words."""
    if code == -signal.SIGKILL:
        return "The process was killed by the system, probably because memory ran out"
    if code < 0:
        return f"The process was ended by signal {-code} ({signal.strsignal(-code)})"
    return f"The process ended with exit code {code}"


def tail(log_path: Path) -> list[str]:
    """The last lines of a log, without stack traces."""
    with log_path.open("rb") as file:
        if file.seek(max(0, log_path.stat().st_size - TAIL_BYTES)):
            file.readline()  # the first line may be incomplete
        return last_words(file.read().decode(errors="replace"))


def clean_up(lease: Lease) -> bool:
    """Log the outcome, and delete files that are no longer needed.

    Returns:
        Whether the work failed without progress.
    """
    model = lease.model
    row = None
    try:
        with reading() as session:
            row = session.get(model, lease.id)
        log.info("%s %s is %s", model.__tablename__, lease.id, row.status if row else "deleted")
        if (key := model.leftovers(lease.id, lease.token, row)) is not None:
            get_artifacts().delete(key)
    except Exception:
        log.exception("could not clean up after %s %s", model.__tablename__, lease.id)
    return row is not None and row.faults > 0 and row.status in (model.waiting, model.failed)
