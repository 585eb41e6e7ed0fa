from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from store import broker
from store.bells import Bell
from store.broker import build_celery, get_celery, ring
from store.settings import Settings, get_settings
from tests.support.processes import free_port


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """The process's settings, read again from variables that the test sets."""
    monkeypatch.setenv("COLT_HOME", str(tmp_path))
    get_settings.cache_clear()
    get_celery.cache_clear()
    yield monkeypatch
    get_settings.cache_clear()
    get_celery.cache_clear()


def test_a_bell_is_a_message_without_arguments_in_the_data_folder(
    configure: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert ring(Bell.TRAIN) and ring(Bell.PREPARE)
    messages = [json.loads(path.read_text()) for path in (tmp_path / "broker").glob("*.msg")]
    assert sorted(message["headers"]["task"] for message in messages) == [Bell.PREPARE, Bell.TRAIN]
    assert {message["headers"]["argsrepr"] for message in messages} == {"()"}
    assert {message["content-type"] for message in messages} == {"application/json"}


def test_a_message_in_a_file_is_seen_only_whole(configure: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A reader that met a half-written one would end its worker."""
    stop, seen = threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            for path in (tmp_path / "broker").glob("*.msg"):
                seen.append(path.read_text())

    get_celery()  # makes the folder
    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(50):
        ring(Bell.TRAIN)
    stop.set()
    thread.join(10)
    assert seen and all(json.loads(text)["headers"]["task"] == Bell.TRAIN for text in seen)
    assert list((tmp_path / "broker").glob("*.partial")) == []


def test_a_worker_receives_what_was_rung(configure: pytest.MonkeyPatch) -> None:
    assert ring(Bell.PREPARE)
    with get_celery().connection_for_read() as connection, connection.SimpleQueue("colt") as queue:
        message = queue.get(timeout=5)
        assert message.headers["task"] == Bell.PREPARE
        message.ack()


def test_a_message_is_had_once_and_leaves_no_file(configure: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elsewhere = tmp_path / "temporary"
    elsewhere.mkdir()
    configure.setattr(tempfile, "tempdir", str(elsewhere))
    for _ in range(30):
        assert ring(Bell.TRAIN)
    had: list[str] = []

    def receive() -> None:
        with (
            get_celery().connection_for_read() as connection,
            connection.SimpleQueue("colt") as queue,
            suppress(queue.Empty),
        ):
            while True:
                message = queue.get(timeout=0.5)
                had.append(message.headers["id"])
                message.ack()

    threads = [threading.Thread(target=receive) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(had) == len(set(had)) == 30
    assert list((tmp_path / "broker").iterdir()) == [] and list(elsewhere.iterdir()) == []


def test_a_bell_reaches_redis(configure: pytest.MonkeyPatch, redis_url: str) -> None:
    configure.setenv("COLT_BROKER_URL", redis_url)
    assert ring(Bell.TRAIN)
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("colt") == 1


def test_a_broker_that_is_away_costs_little_time_and_no_error(
    configure: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configure.setenv("COLT_BROKER_URL", f"redis://:secret@127.0.0.1:{free_port()}/0")
    began = time.monotonic()
    assert not ring(Bell.TRAIN)
    assert time.monotonic() - began < broker.CONNECT_SECONDS
    assert "does not answer" in caplog.text and "secret" not in caplog.text


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1/0"])
def test_messages_are_json_acknowledged_early_and_never_hoarded(url: str, tmp_path: Path) -> None:
    conf = build_celery(Settings(home=tmp_path, broker_url=url)).conf  # type: ignore[arg-type]
    assert conf.accept_content == ["json"] and conf.task_serializer == "json"
    assert not conf.task_acks_late and conf.task_ignore_result and conf.result_backend is None
    assert conf.worker_prefetch_multiplier == 1
    assert conf.worker_disable_prefetch == url.startswith("redis")


def test_an_error_or_an_empty_message_does_not_end_the_worker(configure: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert ring(Bell.TRAIN)
    (message,) = (tmp_path / "broker").glob("*.msg")
    message.with_name("0_empty.colt.msg").touch()  # as a power cut leaves it
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        configure.setattr(Path, "unlink", real)
        raise OSError(30, "Read-only file system")

    configure.setattr(Path, "unlink", unlink)
    with get_celery().connection_for_read() as connection, connection.SimpleQueue("colt") as queue:
        assert queue.get(timeout=5).headers["task"] == Bell.TRAIN
    assert get_celery().conf.broker_channel_error_retry
