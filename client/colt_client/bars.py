"""Shows how far something is, on stderr: a bar of tqdm if it is installed, else a line now and
then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self

# Called with what is done, and with all there is or None.
Progress = bool | Callable[[float, float | None], None]
_Unit = Literal["B", "epoch", "run", ""]
_LINE_SECONDS = 10.0


class Bar:
    """A progress bar. Use it with `with`."""

    def __init__(self, progress: Progress, title: str, unit: _Unit) -> None:
        """progress: False shows nothing; a function is called instead."""
        self._told = progress if callable(progress) else None
        self._shown = (_tqdm(title, unit) or _Lines(title, unit)) if progress is True else None

    def show(self, done: float, total: float | None, note: str = "") -> None:
        """Tell how far it is."""
        if self._told is not None:
            self._told(done, total)
        if self._shown is not None:
            self._shown.show(done, total, note)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown is not None:
            self._shown.close()


class _Lines:
    def __init__(self, title: str, unit: _Unit) -> None:
        self._title, self._unit = title, unit
        self._at = -_LINE_SECONDS
        self._last = self._written = ""

    def show(self, done: float, total: float | None, note: str) -> None:
        amount = "" if total is None else f" {_amount(done, total, self._unit)}"
        self._last = f"{self._title}:{amount}{f' ({note})' if note else ''}"
        if time.monotonic() - self._at >= _LINE_SECONDS:
            self._write()

    def close(self) -> None:
        self._write()

    def _write(self) -> None:
        if self._last != self._written:
            sys.stderr.write(f"{self._last}\n")
            sys.stderr.flush()
        self._at, self._written = time.monotonic(), self._last


class _Tqdm:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def show(self, done: float, total: float | None, note: str) -> None:
        self._bar.total = total
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        self._bar.refresh()
        self._bar.close()


def _tqdm(title: str, unit: _Unit) -> _Tqdm | None:
    if not sys.stderr.isatty() and "ipykernel" not in sys.modules:
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return _Tqdm(tqdm(desc=title, unit=unit, unit_scale=unit == "B", unit_divisor=1024))


def _amount(done: float, total: float, unit: _Unit) -> str:
    if unit == "B":
        return f"{done / 2**20:.1f} of {total / 2**20:.1f} MiB"
    return f"{done:g} of {total:g} {unit}s" if unit else f"{done / total:.0%}"
