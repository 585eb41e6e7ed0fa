"""Working processes, forked off one that has imported what they need.

`import torch` and what training adds to it take seconds of processor time. One process per worker
imports them once and never uses them: the fork server of `multiprocessing`. A fork after torch has
computed or used a GPU could hang, so nothing but imports happens there.
"""

from __future__ import annotations

import os
import pkgutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import forkserver, get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from threading import Event, Lock
from typing import Any, NoReturn

from setproctitle import setproctitle

from store.leases import Lease
from store.models import leased_models
from store.settings import Settings
from worker import child

# glibc returns large blocks to the kernel at once, so each step pays for fresh pages. Keeping
# blocks up to this size made training steps 10 to 20 % faster.
KEEP_BLOCKS = str(2**30)

_FORKING = get_context("forkserver")
_FORKING.set_forkserver_preload(["worker.preloaded"])
# A start looks at all processes, and two looks at an ended one would spoil its exit code.
_lock = Lock()
_ready = Event()


def prepare(settings: Settings) -> None:
    """Start the process that others are forked off. It imports in the background.

    These variables are read when a process starts, so what is forked off later has them too.
    """
    os.environ |= {
        "MALLOC_MMAP_THRESHOLD_": KEEP_BLOCKS,
        "MALLOC_TRIM_THRESHOLD_": KEEP_BLOCKS,
        "SPT_NOENV": "1",  # setproctitle leaves /proc/PID/environ as it is
    }
    if settings.torch_threads:
        os.environ["OMP_NUM_THREADS"] = str(settings.torch_threads)
    forkserver.ensure_running()


def wait_until_ready() -> None:
    """Wait for its imports. Call this before work is claimed, since a lease might expire meanwhile.

    Raises:
        OSError: when it ended.
    """
    if not _ready.is_set():
        _start(_FORKING.Process(target=_nothing))


def _start(process: ForkServerProcess) -> None:
    with _lock:
        try:
            process.start()
        except (OSError, EOFError) as error:
            _ready.clear()
            raise OSError(f"the process that others are forked off has ended ({error})") from error
    _ready.set()


def call_at_once(calls: Sequence[Callable[[], None]], seconds: float) -> bool:
    """Call functions that can be pickled, each in a process of its own, all at the same time.

    Returns:
        Whether all ended well within so many seconds. Those that did not are killed.

    Raises:
        OSError: when one cannot be started.
    """
    processes = [_FORKING.Process(target=call, daemon=True) for call in calls]
    deadline = time.monotonic() + seconds
    try:
        for process in processes:
            _start(process)
        return all(
            _ended(process, max(0.0, deadline - time.monotonic())) and not process.exitcode for process in processes
        )
    finally:
        for process in processes:
            if process.pid is not None and not _ended(process, 0):
                process.kill()
                _ended(process, None)


def _ended(process: ForkServerProcess, within: float | None) -> bool:
    wait([process.sentinel], within)
    with _lock:
        return process.exitcode is not None


def _nothing() -> None:
    pass


class Program:
    """A running process, the first of a process group of its own.

    One of a kind that `stays` waits for another row when it has done the last one.

    Attributes:
        model: the kind of work.
        waits: whether it has done its last row, and waits for another.
    """

    def __init__(self, lease: Lease, environment: dict[str, str], log_path: Path, program: str | None = None) -> None:
        """Start a program for the row of a lease.

        Args:
            lease: the claimed row.
            environment: all of the process's environment variables.
            log_path: the file to which its output is added.
            program: "module:function". Default: that of the lease's kind of work.

        Raises:
            OSError: when it cannot be started. Most likely memory or disk is full.
        """
        log_path.parent.mkdir(parents=True, exist_ok=True)
        log_path.open("ab").close()
        self.model = model = lease.model
        self.waits = False
        self._orders: Connection[Any, Any] | None
        self._orders, orders = _FORKING.Pipe() if model.stays else (None, None)
        arguments = (program or model.program, model.noun, lease.id, lease.token, environment, log_path, orders)
        self._process = _FORKING.Process(target=_run, args=arguments)
        try:
            _start(self._process)
        finally:
            if orders is not None:
                orders.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def ended(self, within: float | None = None) -> bool:
        """Wait for its end, for so many seconds or without a limit. Answers whether it came."""
        return _ended(self._process, within)

    def hand(self, lease: Lease) -> None:
        """Give another row to a program that waits.

        Raises:
            OSError: when it has ended.
        """
        assert self._orders is not None and self.waits
        self.waits = False
        self._orders.send((lease.id, lease.token))

    def done(self, within: float) -> bool:
        """Wait until it has done its row or has ended. Answers whether it has."""
        if self._orders is None:
            return self.ended(within)
        if self._orders in wait([self._process.sentinel, self._orders], within):
            try:
                self._orders.recv()
                self.waits = True
                return True
            except (EOFError, OSError):  # it is about to end
                return self.ended(within)
        return self.ended(0)

    @property
    def exit_code(self) -> int:
        """Of an ended process: minus the number of the signal, if one ended it. 0 of one that
        waits."""
        if self.waits:
            return 0
        assert self._process.exitcode is not None
        return self._process.exitcode

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self._process.terminate()

    def kill_group(self) -> None:
        """Kill it and all processes that it started, and wait for its end."""
        if not self.ended(within=0):  # in its first moment it has no group yet
            self._process.kill()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.ended()
        if self._orders is not None:
            self._orders.close()


def _run(
    program: str,
    noun: str,
    row_id: str,
    token: str,
    environment: dict[str, str],
    log_path: Path,
    orders: Connection[Any, Any] | None,
) -> NoReturn:
    """What the forked process does. `orders` are further rows, if it stays."""
    os.setpgid(0, 0)
    module = program.partition(":")[0]
    setproctitle(f"{module} {noun} {row_id}")
    with log_path.open("ab") as output:
        for number in (1, 2):
            os.dup2(output.fileno(), number)
    supervisor = parent_process()
    assert supervisor is not None
    child.die_with_parent()
    if not supervisor.is_alive():
        os._exit(1)
    os.environ.clear()
    os.environ.update(environment)
    work = pkgutil.resolve_name(program)
    (model,) = (model for model in leased_models() if model.noun == noun)
    code = child.run(Lease(model, row_id, token), work)
    while orders is not None and code == 0:
        setproctitle(f"{module} {noun} waiting")
        try:
            orders.send(None)
            row_id, token = orders.recv()
        except (EOFError, OSError):  # the worker has ended, or wants this process no more
            break
        setproctitle(f"{module} {noun} {row_id}")
        code = child.run(Lease(model, row_id, token), work)
    sys.exit(code)
