"""Logging of every process: one JSON object per line, or plain text for a terminal."""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from store.settings import get_settings

# Attributes that every record has. All others were passed as `extra`.
_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
_bound: ContextVar[Mapping[str, Any]] = ContextVar("bound", default={})  # noqa: B039 (never changed in place)


@contextmanager
def bound(**ids: Any) -> Iterator[None]:
    """Add ids, such as `request_id` or `job_id`, to every line logged inside.

    They also reach threads that run in a copy of this context, as those of a request do.
    """
    token = _bound.set({**_bound.get(), **ids})
    try:
        yield
    finally:
        _bound.reset(token)


def set_up(**ids: Any) -> None:
    """Log to stderr as COLT_LOG_FORMAT and COLT_LOG_LEVEL say, with `ids` in every line."""
    settings = get_settings()
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(ids) if as_json else TextFormatter(ids))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs every check of the revision
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught


class JsonFormatter(logging.Formatter):
    """Writes `timestamp`, `level`, `logger`, `message`, then ids; `exception` has the stack."""

    def __init__(self, ids: Mapping[str, Any]) -> None:
        super().__init__()
        self._ids = ids

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_ids_of(record, self._ids),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Writes plain text, with ids in brackets after the message."""

    def __init__(self, ids: Mapping[str, Any]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._ids = ids

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        # As JSON: an id may come from a client, and a line break in it must not start a new line.
        ids = [f"{name}={json.dumps(value, default=str)}" for name, value in _ids_of(record, self._ids).items()]
        return super().formatMessage(record) + (f" [{' '.join(ids)}]" if ids else "")


def readable(line: str) -> str:
    """A JSON line of a log file as text. Lines of native libraries and others stay unchanged."""
    try:
        record = json.loads(line)
        text = f"{record['level']} {record['message']}"
    except (ValueError, TypeError, KeyError):
        return line
    return f"{text}\n{record['exception']}" if "exception" in record else text


def _ids_of(record: logging.LogRecord, ids: Mapping[str, Any]) -> dict[str, Any]:
    extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    return {**ids, **_bound.get(), **extra}


def _log_uncaught(kind: type[BaseException], error: BaseException, stack: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, stack)
    else:
        logging.getLogger("colt").critical("ended by an exception", exc_info=(kind, error, stack))
