"""Descriptions of errors for clients, without stack traces and paths of this server."""

from __future__ import annotations

import re

from sqlalchemy.exc import DBAPIError

from store.logs import readable

LONGEST = 500
_PATH = re.compile(r"(?<![\w.-])(?:file://)?(?:/[^\s/'\",:;()<>]+)+/([^\s/'\",:;()<>]*)")
_STACK = re.compile(r"^(\s|Traceback \(most recent call last\)|During handling of the above|The above exception was)")


def without_paths(text: str) -> str:
    """The text with absolute paths shortened to their last part."""
    return _PATH.sub(r"\1", text)


def describe(error: BaseException) -> str:
    """Type and message of an exception, in one line."""
    if isinstance(error, DBAPIError):  # its text contains the statement and its parameters
        return f"{type(error).__name__}: the database reported an error"
    first_line = (str(error).strip().splitlines() or [""])[0]
    text = f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
    return without_paths(text)[:LONGEST]


def last_words(output: str, lines: int = 20) -> list[str]:
    """The last lines of a process's output, without stack traces."""
    said = "\n".join(readable(line) for line in output.splitlines())
    told = [line for line in said.splitlines() if line.strip() and not _STACK.match(line)]
    return [without_paths(line)[:LONGEST] for line in told[-lines:]]
