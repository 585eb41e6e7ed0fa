"""Reads an untrusted table of text: CSV, TSV or JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from colt_core.data.errors import DataError
from colt_core.data.names import split_ending

SEPARATED = {".csv": ",", ".tsv": "\t"}
JSON_LINES = frozenset({".jsonl", ".ndjson"})
_MOST_COLUMNS = 10_000


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns of text cells.

    Attributes:
        name: of the file.
        columns: cells by column, all of one length. None: the line has no such cell, or null.
        lines: where each row begins in the file, from 1.
    """

    name: str
    columns: dict[str, list[str | None]]
    lines: list[int]


def is_table(name: str) -> bool:
    """Whether the name ends as that of a table does."""
    ending = split_ending(name)[1]
    return ending in SEPARATED or ending in JSON_LINES


def read_table(name: str, content: bytes, columns: set[str] | None = None, most: int | None = None) -> Table:
    """Read the table in a file.

    The first line of a CSV or TSV names its columns. A CSV may be separated by semicolons or tabs
    too, if its first line has no comma. A line of JSON is an object; cells that are objects or
    lists are left out.

    Args:
        columns: which to keep. None: all.
        most: how many rows to read. None: all.

    Raises:
        DataError: if it is no such table. The message names the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"line {line} of {name!r} is not UTF-8; save the table as UTF-8 text") from error
    ending = split_ending(name)[1]
    rows = _json_rows(name, text) if ending in JSON_LINES else _separated_rows(name, text, SEPARATED[ending])
    table = Table(name, {}, [])
    for line, row in islice(rows, most):
        for column in row:
            if column not in table.columns and (columns is None or column in columns):
                table.columns[column] = [None] * len(table.lines)
        if len(table.columns) > _MOST_COLUMNS:
            raise DataError(f"line {line} of {name!r}: more than {_MOST_COLUMNS:,} columns; leave some out")
        table.lines.append(line)
        for column, cells in table.columns.items():
            cells.append(row.get(column))
    if not table.lines:
        raise DataError(f"{name!r} has no rows below its names of columns")
    return table


def _separated_rows(name: str, text: str, separator: str) -> Iterator[tuple[int, dict[str, str]]]:
    first = text.partition("\n")[0]
    if separator == "," and "," not in first:
        separator = next((other for other in (";", "\t") if other in first), separator)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    begins = 1
    try:
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                if twice := next((column for column in header if column and header.count(column) > 1), None):
                    raise DataError(f"line {line} of {name!r} names the column {twice!r} twice; rename one")
                continue
            if len(cells) > len(header):
                raise DataError(
                    f"line {line} of {name!r} has {len(cells)} cells, but the first line names {len(header)} columns; "
                    "put cells with a separator in double quotes"
                )
            yield line, {column: cell.strip() for column, cell in zip(header, cells, strict=False) if column}
    except csv.Error as error:
        raise DataError(f"line {reader.line_num} of {name!r} cannot be read: {error}") from error


def _json_rows(name: str, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for line, content in enumerate(io.StringIO(text), start=1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise DataError(f"line {line} of {name!r} is not JSON; write one object a line") from error
        if not isinstance(row, dict):
            raise DataError(f"line {line} of {name!r} is not a JSON object; write one a line, with the same keys")
        yield line, {column: cell for column, value in row.items() if (cell := _cell(value)) is not None}


def _cell(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else None
