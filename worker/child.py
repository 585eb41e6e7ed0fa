"""The frame of a working process: its lease, its signals, its log, and how its errors end the
work."""

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
from store.models import Leased, leased_models
from store.settings import get_settings
from worker import outcome
from worker.describe import LONGEST, describe, without_paths
from worker.handover import DIGESTS, PARENT, TOKEN
from worker.patience import retry_transaction

# What would go wrong again in the same way: bad data or bad settings. All else may be the machine's
# fault (memory, disk, network, a driver) and is worth another attempt.
DETERMINISTIC = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError)
PR_SET_PDEATHSIG = 1

log = logging.getLogger("worker")


class WorkFailed(Exception):
    """The work cannot succeed, now or later. The message is for the user and says what to
    change."""


class WorkBrokeOff(Exception):
    """The work may succeed when it is started again. The message is for the user and says what was
    in the way."""


class StopRequested(BaseException):
    """The supervisor wants this process to end; the work will be put back or is cancelled."""


class Interrupt:
    """SIGTERM raises `StopRequested` on the spot; or, while `deferred`, only sets `requested`."""

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
        """Where the work looks at `requested` itself, and stops at a place that it can go on
        from."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self.requested:
            raise StopRequested


def run(model: type[Leased], row_id: str, work: Callable[[Lease, Interrupt], None]) -> int:
    """Do `work` on the row; when it raises, end the row as failed, or put it back for another
    attempt.

    Returns:
        The exit code: 0 when there is nothing to explain. The supervisor goes by the row, not by
            the code.
    """
    interrupt = Interrupt()
    die_with_parent()
    lease = Lease(model, row_id, os.environ.pop(TOKEN))
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
        log.exception("broke off")
        if not interrupt.requested:  # else the supervisor settles it, as work that it stopped
            _end(lease, _reason(error), again=True)
    return 1


def main(work: Callable[[Lease, Interrupt], None]) -> int:
    """`run` on the row that the command line names, as `NOUN ID`."""
    noun, row_id = sys.argv[1:]
    (model,) = (model for model in leased_models() if model.noun == noun)
    return run(model, row_id, work)


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
        log.warning("the lease was lost meanwhile; nothing was written")


def die_with_parent() -> None:
    """Have the kernel kill this process when its supervisor ends, however that ends (Linux;
    elsewhere the lease rules).

    Call it from the main thread.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ[PARENT]):  # it ended before we asked
        os._exit(1)
