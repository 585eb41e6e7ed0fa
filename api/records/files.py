"""A file of a record, and the archive of all of them, which is made while it is sent."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json

from api.http.outbox import Outbox

_BLOCK = 2000  # rows of a table that are in memory at once


@dataclass(frozen=True, slots=True)
class RecordFile:
    """A file of the archive.

    Attributes:
        name: in the archive.
        about: what it holds, in a sentence.
        fields: what its columns mean, or the fields of its JSON objects.
        pieces: makes its text. It is called when the file is written.
    """

    name: str
    about: str
    fields: Mapping[str, str]
    pieces: Callable[[], Iterable[str]]


def zipped(files: Sequence[RecordFile], now: dt.datetime) -> Iterator[bytes]:
    """An archive of the files, in pieces. It holds one piece of one file in memory."""
    outbox = Outbox()
    with zipfile.ZipFile(outbox, "w") as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.name, now.timetuple()[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as target:
                for piece in file.pieces():
                    target.write(piece.encode())
                    if packed := outbox.take():
                        yield packed
    yield outbox.take()


def document(content: Any) -> str:
    """One JSON document. Numbers that are not finite are null."""
    return to_json(content, indent=2, inf_nan_mode="null").decode() + "\n"


def listed(items: Iterable[BaseModel | Mapping[str, Any]]) -> Iterator[str]:
    """A JSON array, one item after the other."""
    before = "[\n"
    for item in items:
        yield before + to_json(item, indent=2, inf_nan_mode="null").decode()
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def table(columns: Mapping[str, str], rows: Iterable[Sequence[str | float | None]]) -> Iterator[str]:
    """CSV, in blocks of lines. What is not known, or no finite number, is an empty field."""
    yield ",".join(columns) + "\n"
    left = iter(rows)
    while block := list(islice(left, _BLOCK)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(map(_cells, block))
        yield text.getvalue()


def fields_of(model: type[BaseModel], without: Sequence[str] = ()) -> dict[str, str]:
    """The fields of a model, with their descriptions."""
    return {name: field.description or "" for name, field in model.model_fields.items() if name not in without}


def _cells(row: Sequence[str | float | None]) -> list[str | float | None]:
    return [None if isinstance(value, float) and not math.isfinite(value) else value for value in row]
