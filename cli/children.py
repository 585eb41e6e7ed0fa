"""The processes that `colt up` keeps running."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from store.logs import readable

ROTATE_BYTES = 10 * 2**20
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0  # a child that has run this long restarts after the shortest pause


def _die_with_parent() -> None:
    # Runs in the child. If `colt up` itself is killed, the kernel sends SIGTERM to the child (Linux
    # only).
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


class Child:
    """`python -m NAME` in its own process group, with its output in a file.

    The group keeps Ctrl-C in the terminal from reaching the child, so `colt up` decides in which
    order the children stop.
    """

    def __init__(self, name: str, logs: Path) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = 1.0
        self.start_at = 0.0  # time.monotonic() of the next start

    def start(self) -> None:
        """Start the process.

        Call this from the main thread: the kernel sends the child SIGTERM when the thread that has
        started it ends.

        Raises:
            OSError, SubprocessError: when the disk is full, or there is no memory for a process.
        """
        self._started = time.monotonic()
        if self.log.exists() and self.log.stat().st_size > ROTATE_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.name],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def outcome(self) -> str:
        """How the process ended, as the end of a sentence."""
        code = None if self._process is None else self._process.poll()
        if code is None:
            return "runs"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def plan_restart(self) -> float:
        """Clean up after a dead child and set its restart time. Each early death doubles the pause.

        Returns:
            The pause in seconds.
        """
        self.kill()
        now = time.monotonic()
        if now - self._started > STEADY_SECONDS:
            self._pause = 1.0
        pause = self._pause
        self._pause = min(2 * pause, LONGEST_PAUSE)
        self.start_at = now + pause
        self._process = None
        return pause

    def ask_to_end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the whole process group."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def last_lines(self, count: int) -> list[str]:
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 16_384))
            lines = file.read().decode(errors="replace").splitlines()[-count:]
        return "\n".join(readable(line) for line in lines).splitlines()[-count:]
