"""Programs instead of a trainer, each named for the way in which it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from colt_core.data.errors import DataError
from store import leases
from store.database import writing
from store.leases import Lease
from worker import outcome
from worker.child import Interrupt, WorkFailed
from worker.handover import SCRATCH
from worker.patience import retry_transaction


def succeed(lease: Lease, interrupt: Interrupt) -> None:
    retry_transaction(lambda session: outcome.succeeded(session, lease))


def wait(lease: Lease, interrupt: Interrupt) -> None:
    _ready(lease)
    time.sleep(60)


def checkpoint(lease: Lease, interrupt: Interrupt) -> None:
    """As training does: continues after SIGTERM until it has written its state."""
    with interrupt.deferred():
        _ready(lease)
        while not interrupt.requested:
            time.sleep(0.01)
        retry_transaction(lambda session: leases.write(session, lease, step=7))


def deaf(lease: Lease, interrupt: Interrupt) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait(lease, interrupt)


def breed(lease: Lease, interrupt: Interrupt) -> None:
    """Leaves a child and a file behind."""
    child = subprocess.Popen(["sleep", "60"])
    (Path(os.environ[SCRATCH]) / "half").write_bytes(b"done")
    retry_transaction(lambda session: leases.write(session, lease, step=child.pid))


def killed(lease: Lease, interrupt: Interrupt) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def exits(lease: Lease, interrupt: Interrupt) -> None:
    print("a native library says goodbye in /usr/lib/x/native.so", file=sys.stderr, flush=True)
    os._exit(3)


def raises(error: BaseException, lease: Lease, interrupt: Interrupt) -> None:
    raise error


def _ready(lease: Lease) -> None:
    with writing() as session:
        leases.write(session, lease, epoch=1)


PATH = "/srv/colt/secret/place.pt"
work_failed = partial(raises, WorkFailed(f"the loss is nan; see {PATH}"))
data_error = partial(raises, DataError("label 9 is outside 0..3"))
value_error = partial(raises, ValueError(f"{PATH} has the wrong shape"))
os_error = partial(raises, OSError(28, "No space left on device", PATH))
memory_error = partial(raises, MemoryError())
