"""A program that has done its work and stays for more, so that it need not load a model again."""

from __future__ import annotations

from threading import Lock, Timer

from store.models import Leased
from worker.programs import Program


class Standing:
    """The place for one such program. A worker has one place, which bounds its memory.

    Args:
        seconds: how long a program may wait. 0 keeps none.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._program: Program | None = None
        self._timer: Timer | None = None

    def take(self, model: type[Leased]) -> Program | None:
        """The program that waits for this kind of work, if there is one. It is the caller's now."""
        with self._lock:
            program, self._program = self._program, None
            if self._timer is not None:
                self._timer.cancel()
        if program is None:
            return None
        if program.model is model and not program.ended(within=0):
            return program
        program.kill_group()
        return None

    def keep(self, program: Program) -> bool:
        """Keep a program that waits, in place of an earlier one.

        Returns:
            False if it does not wait, or none is kept. The caller ends it.
        """
        if not program.waits or self._seconds <= 0:
            return False
        self.end()
        with self._lock:
            self._program = program
            self._timer = Timer(self._seconds, self._expire, [program])
            self._timer.daemon = True
            self._timer.start()
        return True

    def end(self) -> None:
        """End the program that waits."""
        with self._lock:
            program, self._program = self._program, None
            if self._timer is not None:
                self._timer.cancel()
        if program is not None:
            program.kill_group()

    def _expire(self, program: Program) -> None:
        with self._lock:
            if self._program is not program:  # it was just taken
                return
            self._program = None
        program.kill_group()
