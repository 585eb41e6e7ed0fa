"""Child processes that never outlive the tests."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).parents[2]
MARK = "COLT_TEST_MARK"  # inherited by every descendant, so that none can hide


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def die_with_parent(death_signal: int) -> Callable[[], None] | None:
    """What a child runs before its program, so that the kernel ends it if the test process is
    killed (Linux)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    pr_set_pdeathsig = 1
    return lambda: libc.prctl(pr_set_pdeathsig, death_signal)


def wait_until(condition: Callable[[], bool], seconds: float, what: str, *, every: float = 0.05) -> None:
    """Poll until it holds.

    Args:
        every: seconds between two looks. Looking takes time of the process that is asked, too.

    Raises:
        TimeoutError: naming `what`, when it does not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(every)


def clean_environment(**values: str) -> dict[str, str]:
    """This process's environment without any COLT setting, plus `values`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COLT_")}
    return {**kept, "PYTHONPATH": str(REPOSITORY), **values}


class Process:
    """One program of ours, its output in a file. It may be killed and started again."""

    def __init__(self, name: str, command: Sequence[str], *, env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.command = list(command)
        self.env = dict(env)
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert not self.running, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.command,
                env=self.env,
                cwd=self.folder,  # away from the repository, whose .env is a developer's own
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        return None if self._child is None else self._child.poll()

    def send(self, number: int) -> None:
        """Send a signal to the program alone, not to its children."""
        if self.running:
            os.kill(self.pid, number)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal and wait for the end."""
        self.send(number)
        self.wait(30)

    def stop(self, seconds: float = 30) -> int:
        """Ask it to end, and wait.

        Raises:
            TimeoutError: when it does not end; it was killed then.
        """
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        assert self._child is not None
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            raise TimeoutError(f"{self.name} did not end within {seconds:g} s; its log:\n{self.tail()}") from None

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.output().splitlines()[-lines:])


WATCHED: list[Process] = []  # whose last lines belong into a failure's report


def marked(mark: str) -> Iterator[psutil.Process]:
    """Every living process whose environment carries this mark."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                yield process


def end_marked(mark: str, patience: float = 5) -> list[str]:
    """Wait for every marked process to end, and kill what is still there.

    Returns:
        The command lines that had to be killed.
    """
    deadline = time.monotonic() + patience
    while (left := list(marked(mark))) and time.monotonic() < deadline:
        time.sleep(0.1)
    killed = []
    for process in left:
        with contextlib.suppress(psutil.Error):
            killed.append(" ".join(process.cmdline()))
            process.kill()
    psutil.wait_procs(left, timeout=5)
    return killed
