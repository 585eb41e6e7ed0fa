"""Logging of every process: one JSON object a line, or plain text for a terminal."""

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

# What every record has; all else came with it as `extra`.
_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
_bound: ContextVar[Mapping[str, Any]] = ContextVar("bound", default={})  # noqa: B039 (never changed in place)


@contextmanager
def bound(**ids: Any) -> Iterator[None]:
    """Every line that is logged inside names these, such as `request_id` or `job_id`; across
    threads of the request."""
    token = _bound.set({**_bound.get(), **ids})
    try:
        yield
    finally:
        _bound.reset(token)


def set_up(**ids: Any) -> None:
    """Log to stderr as COLT_LOG_FORMAT and COLT_LOG_LEVEL say; every line of this process names
    `ids`."""
    settings = get_settings()
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(ids) if as_json else TextFormatter(ids))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every look at the revision
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught


class JsonFormatter(logging.Formatter):
    """`timestamp`, `level`, `logger`, `message`, then ids; `exception` holds a stack."""

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
    """The same for readers: ids stand in brackets behind the message."""

    def __init__(self, ids: Mapping[str, Any]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._ids = ids

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        # As JSON, since an id may be what a client sent, and must not begin a line of its own.
        ids = [f"{name}={json.dumps(value, default=str)}" for name, value in _ids_of(record, self._ids).items()]
        return super().formatMessage(record) + (f" [{' '.join(ids)}]" if ids else "")


def readable(line: str) -> str:
    """A line of a log file as text; one that is not ours, such as a native library's, as it is."""
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
