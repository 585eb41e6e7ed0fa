"""Answers on standard output: JSON for programs, tables for people."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from colt_core.printed import printed

_WIDE = 10_000  # columns of a pipe or a file
_LONGEST = 2_000  # characters of one value


def plain(value: Any) -> Any:
    """What JSON can say of an answer, a handle, or a list of them."""
    if hasattr(value, "info"):
        value = value.info
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def print_json(value: Any) -> None:
    """One document."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False))


def print_line(value: Any) -> None:
    """One document on a line of its own, at once."""
    print(json.dumps(plain(value), ensure_ascii=False), flush=True)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns of text. A value that is not known is a dash."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # A pipe gets each row on one line, however long it is.
    console = Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False, header_style="bold")
    for head in heads:
        # Ids are copied: they are never cut off.
        table.add_column(head, overflow="fold", no_wrap=head == "id")
    for row in rows:
        table.add_row(*(Text(text(cell)) for cell in row))
    console.print(table)


def print_fields(fields: dict[str, Any]) -> None:
    """Names and values, one a line."""
    width = max(map(len, fields))
    for name, value in fields.items():
        print(f"{name:<{width}}  {text(value)}")


def print_warnings(warnings: Iterable[Any] | None) -> None:
    """What the service found, as it says it."""
    for warning in warnings or []:
        print(f"{warning.code}: {text(warning.detail)}")


def text(value: Any) -> str:
    """A value for people, without characters that steer a terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if hasattr(value, "strftime"):
        return f"{value:%Y-%m-%d %H:%M}"
    return printed(str(value), _LONGEST)


def points(share: float | None, *, signed: bool = False) -> str:
    """A share of 1 in points."""
    return "-" if share is None else f"{100 * share:{'+' if signed else ''}.2f}"


def interval(bounds: Sequence[float] | None) -> str:
    """Both bounds of an interval in points."""
    return "-" if bounds is None else f"[{points(bounds[0], signed=True)}, {points(bounds[1], signed=True)}]"


def save(output: Path | None, write: Callable[[Path], object]) -> None:
    """Let `write` make a file, and print it if no file was asked for."""
    if output is not None:
        write(output)
        return
    with TemporaryDirectory() as folder:
        made = Path(folder) / "output"
        write(made)
        sys.stdout.flush()
        with made.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
