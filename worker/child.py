"""What every working process shares: its lease, signals, log, and how errors end its work."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from sqlalchemy.orm import Session

from store import logs
from store.artifacts import get_artifacts
from store.leases import Lease, LeaseLost
from store.settings import get_settings
from worker import outcome
from worker.describe import LONGEST, describe, without_paths
from worker.handover import DIGESTS
from worker.patience import retry_transaction

# Errors that would occur again: bad data or bad settings. Others may come from the machine (memory,
# disk, network, a driver), and the work is tried again.
DETERMINISTIC = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError)
PR_SET_PDEATHSIG = 1

log = logging.getLogger("worker")


class WorkFailed(Exception):
    """The work cannot succeed. The message is for the user and says what to change."""


class WorkBrokeOff(Exception):
    """The work may succeed in another attempt. The message is for the user and says what failed."""


class StopRequested(BaseException):
    """The supervisor asks this process to end. The work is then requeued or cancelled."""


class Interrupt:
    """SIGTERM raises `StopRequested` at once. While `deferred`, it only sets `requested`."""

    def __init__(self) -> None:
        self.requested = False
        self._deferred = False
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        if not self._deferred:
            raise StopRequested

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """For work that checks `requested` itself, and stops where it can be resumed.

        Raises:
            StopRequested: at the end, if SIGTERM arrived inside.
        """
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self.requested:
            raise StopRequested


def run(lease: Lease, work: Callable[[Lease, Interrupt], None]) -> int:
    """Do `work` on the leased row. After an error, mark the row as failed or requeue it.

    Returns:
        The exit code: 0 after success or a requested stop. The supervisor relies on the row, not on
        this code.
    """
    interrupt = Interrupt()
    logs.set_up(**lease.ids)
    get_artifacts().remember_digests(Path(os.environ[DIGESTS]))
    try:
        work(lease, interrupt)
        return 0
    except StopRequested:
        log.info("stopped")
        return 0
    except LeaseLost:
        log.warning("the lease is lost: another worker has this work now, or it was deleted")
    except WorkFailed as error:
        log.exception("failed")
        _end(lease, without_paths(str(error))[:LONGEST], again=False)
    except DETERMINISTIC as error:
        log.exception("failed")
        _end(lease, describe(error), again=False)
    except Exception as error:
        log.exception("failed, but another attempt may succeed")
        if not interrupt.requested:  # else the supervisor writes the outcome of work that it stopped
            _end(lease, _reason(error), again=True)
    return 1


def _reason(error: Exception) -> str:
    return without_paths(str(error))[:LONGEST] if isinstance(error, WorkBrokeOff) else describe(error)


def _end(lease: Lease, reason: str, *, again: bool) -> None:
    def write(session: Session) -> None:
        if again:
            outcome.faulted(session, lease, reason, get_settings().max_attempts)
        else:
            outcome.failed(session, lease, reason)

    try:
        retry_transaction(write)
    except LeaseLost:
        log.warning("the lease was lost in the meantime; nothing was written")


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that started it ends for any reason.

    It does so on Linux. Elsewhere a process ends once it has lost its lease. Call this from the
    main thread. The parent may have ended before.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
