"""Reads untrusted text: lines with their numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator

from colt_core.data.errors import DataError

LONGEST_LINE = 2**16  # characters


def lines_of(content: bytes, name: str) -> Iterator[tuple[int, str]]:
    """(number from 1 on, line) of each line that is not blank, without its end.

    Raises:
        DataError: for a line that is not UTF-8, or too long. The message calls the text `name`.
    """
    for number, raw in enumerate(io.BytesIO(content), start=1):
        if len(raw) > LONGEST_LINE:
            raise DataError(f"line {number} of {name!r} has more than {LONGEST_LINE:,} characters; shorten it")
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"line {number} of {name!r} is not UTF-8; save it as UTF-8 text") from error
        if line.strip():
            yield number, line


def is_number(word: str) -> bool:
    """Whether the word is a whole number in digits 0 to 9, without a sign."""
    return word.isascii() and word.isdecimal()
