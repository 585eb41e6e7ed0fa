from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from store import logs
from store.settings import get_settings

Written = Callable[[], str]


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    """What this process has logged since it was last asked; logging is put back as it was
    afterwards."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    get_settings.cache_clear()
    yield lambda: capsys.readouterr().err
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)
    logging.captureWarnings(False)
    get_settings.cache_clear()


def lines(written: Written) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written().splitlines()]


def test_a_line_is_a_json_object_with_the_ids_around_it(stderr: Written) -> None:
    logs.set_up(worker_id="w")
    before = dt.datetime.now(dt.UTC)
    with logs.bound(request_id="r"), logs.bound(job_id="j"):
        logging.getLogger("here").warning('with "%s"\nand a break', "quotes", extra={"status": 503})
    logging.getLogger("there").info("outside")
    inside, outside = lines(stderr)
    assert inside.keys() == {"timestamp", "level", "logger", "message", "worker_id", "request_id", "job_id", "status"}
    assert (inside["level"], inside["logger"], inside["message"]) == ("WARNING", "here", 'with "quotes"\nand a break')
    assert (inside["worker_id"], inside["request_id"], inside["job_id"], inside["status"]) == ("w", "r", "j", 503)
    told = dt.datetime.fromisoformat(inside["timestamp"])
    assert told.utcoffset() == dt.timedelta(0) and abs(told - before) < dt.timedelta(seconds=5)
    assert outside.keys() == {"timestamp", "level", "logger", "message", "worker_id"}


def test_a_stack_is_part_of_its_line(stderr: Written) -> None:
    logs.set_up()
    try:
        raise ValueError("bad")
    except ValueError:
        logging.getLogger("here").exception("failed")
    (line,) = lines(stderr)
    assert line["message"] == "failed" and line["exception"].endswith("ValueError: bad")
    assert logs.readable(json.dumps(line)).splitlines()[0] == "ERROR failed"
    assert logs.readable(json.dumps(line)).endswith("ValueError: bad")


def test_what_ends_the_process_is_a_line_too(stderr: Written) -> None:
    logs.set_up(job_id="j")
    error = RuntimeError("out of luck")
    sys.excepthook(type(error), error, None)
    (line,) = lines(stderr)
    assert (line["level"], line["job_id"]) == ("CRITICAL", "j") and "out of luck" in line["exception"]


def test_text_keeps_to_one_line_whatever_an_id_holds(stderr: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLT_LOG_FORMAT", "text")
    logs.set_up()
    with logs.bound(job_id="a\nb"):
        logging.getLogger("here").info("said")
    (line,) = stderr().splitlines()
    assert line.endswith('INFO here: said [job_id="a\\nb"]')


def test_a_terminal_gets_text_unless_json_is_asked_for(stderr: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    logs.set_up()
    logging.getLogger("here").info("for people")
    assert "INFO here: for people" in stderr()
    monkeypatch.setenv("COLT_LOG_FORMAT", "json")
    get_settings.cache_clear()
    logs.set_up()
    logging.getLogger("here").info("for machines")
    assert lines(stderr)[0]["message"] == "for machines"


def test_the_level_is_a_setting(stderr: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLT_LOG_LEVEL", "WARNING")
    logs.set_up()
    logging.getLogger("here").info("quiet")
    logging.getLogger("here").warning("heard")
    assert [line["message"] for line in lines(stderr)] == ["heard"]


@pytest.mark.parametrize("line", ["a native library's", "{", "[1]", '"text"', '{"level": 1}', "7"])
def test_a_line_that_is_not_ours_is_shown_as_it_is(line: str) -> None:
    assert logs.readable(line) == line
