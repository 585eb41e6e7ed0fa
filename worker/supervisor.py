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
import subprocess
import sys
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
from worker.handover import handed_over
from worker.patience import retry_transaction

TAIL_BYTES = 16_384
# glibc returns large blocks to the kernel at once, so each step pays for fresh pages. Keeping
# blocks up to this size made training steps 10 to 20 % faster.
KEEP_BLOCKS = str(2**30)

log = logging.getLogger(__name__)


class TookTooLong(Exception):
    """The work was ended at its time limit. The message is for the user."""


def supervise(lease: Lease, module: str, arguments: list[str], folder: WorkerFolder) -> bool:
    """Run `python -m MODULE ARGUMENTS` for a claimed row until it ends.

    Afterwards the row has its outcome and the scratch folder is removed.

    Returns:
        Whether the work failed without progress or could not be started. The cause may be this
        machine.
    """
    settings = get_settings()
    log_path = settings.home / "logs" / lease.model.__tablename__ / f"{lease.id}.log"
    try:
        scratch = folder.scratch(lease.token)
        process = _start(module, arguments, lease, scratch, folder.digests, log_path, settings)
    except OSError as error:  # most likely memory or disk is full
        log.exception("cannot start work on %s", lease.id)
        reason = f"Its process could not be started: {error.strerror or error}"
        retry_transaction(lambda session: outcome.not_begun(session, lease, reason))
        return True
    try:
        stopped = _watch(process, lease, folder, settings)
        _settle(lease, process.returncode, stopped, log_path, settings)
    except TookTooLong as error:
        _fail(lease, str(error))
    except LeaseLost:
        pass  # the process has written its outcome, or another worker has the row, or it was deleted
    finally:
        _kill_group(process)
        shutil.rmtree(scratch, ignore_errors=True)
    return _clean_up(lease)


def _start(
    module: str,
    arguments: list[str],
    lease: Lease,
    scratch: Path,
    digests: Path,
    log_path: Path,
    settings: Settings,
) -> subprocess.Popen[bytes]:
    env = {
        **os.environ,
        **handed_over(lease, scratch=scratch, digests=digests),
        "MALLOC_MMAP_THRESHOLD_": KEEP_BLOCKS,
        "MALLOC_TRIM_THRESHOLD_": KEEP_BLOCKS,
    }
    if settings.torch_threads:
        env["OMP_NUM_THREADS"] = str(settings.torch_threads)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )


def _watch(process: subprocess.Popen[bytes], lease: Lease, folder: WorkerFolder, settings: Settings) -> bool:
    """Wait for the process to end, and renew the lease meanwhile.

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
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(settings.poll_seconds)
            return asked is not None
        if time.monotonic() - began > limit:
            _kill_group(process)
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
            process.terminate()
        elif asked is not None and time.monotonic() - asked > settings.stop_grace_seconds:
            log.warning("%s did not stop within %g s", lease.id, settings.stop_grace_seconds)
            _kill_group(process)


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
            events.append(session, lease.id, "log", {"lines": _tail(log_path)})
        outcome.faulted(session, lease, _reason(code), settings.max_attempts)

    retry_transaction(settle)


def _reason(code: int) -> str:
    if code == -signal.SIGKILL:
        return "The process was killed by the system, probably because memory ran out"
    if code < 0:
        return f"The process was ended by signal {-code} ({signal.strsignal(-code)})"
    return f"The process ended with exit code {code}"


def _tail(log_path: Path) -> list[str]:
    with log_path.open("rb") as file:
        if file.seek(max(0, log_path.stat().st_size - TAIL_BYTES)):
            file.readline()  # the first line may be incomplete
        return last_words(file.read().decode(errors="replace"))


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _clean_up(lease: Lease) -> bool:
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
