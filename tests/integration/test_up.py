"""`colt up` as a user meets it: one command, one address, and nothing left after Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.missing import cannot_run
from tests.support.processes import MARK, Process, clean_environment, end_marked, free_port, marked, wait_until
from tests.support.stack import QUICK


class Up:
    """A `colt up` in a data folder of its own."""

    def __init__(self, folder: Path, name: str = "up", **env: str) -> None:
        self.mark = uuid.uuid4().hex
        self.port = int(env.get("COLT_PORT", free_port()))
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = Path(env.get("COLT_HOME", folder / "home"))
        settings = {**QUICK, MARK: self.mark, "COLT_HOME": str(self.home), "COLT_PORT": str(self.port), **env}
        self.process = Process(
            name, [sys.executable, "-m", "cli", "up"], env=clean_environment(**settings), folder=folder
        )

    def start_and_wait(self) -> Up:
        self.process.start()
        wait_until(self.announced, 60, f"the address is printed:\n{self.process.output()}")
        return self

    def announced(self) -> bool:
        assert self.process.running, self.process.output()
        return self.url in self.process.output()

    def child(self, module: str) -> psutil.Process:
        """The API or worker that `colt up` started itself."""
        for child in psutil.Process(self.process.pid).children():
            if child.cmdline()[1:3] == ["-m", module]:
                return child
        raise AssertionError(f"no {module} runs:\n{self.process.output()}")

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    service = Up(tmp_path)
    yield service
    service.process.kill()
    end_marked(service.mark, patience=5)


def test_from_nothing_to_an_address_and_back(up: Up, tmp_path: Path) -> None:
    up.start_and_wait()
    assert up.is_ready()
    assert httpx.get(up.url).status_code == 200
    assert up.process.output().count(up.url) == 1, "the address is printed once"
    assert {path.name for path in (up.home / "logs").iterdir()} >= {"api.log", "worker.log"}
    if sys.platform == "linux":
        policies = [os.sched_getscheduler(up.child(module).pid) for module in ("api", "worker")]
        assert policies == [os.SCHED_BATCH, os.SCHED_OTHER], "requests do not interrupt a training"
    assert_a_second_one_on_the_same_folder_says_what_is_in_the_way(up, tmp_path)
    assert_a_log_may_be_cut_short_while_it_is_written(up)

    began = time.monotonic()
    up.process.send(signal.SIGINT)
    assert up.process.wait(30) == 0, up.process.output()
    assert time.monotonic() - began < 20
    assert list(marked(up.mark)) == []
    assert up.process.output().rstrip().endswith("Stopped.")


def assert_a_second_one_on_the_same_folder_says_what_is_in_the_way(up: Up, folder: Path) -> None:
    second = Up(folder, "second", COLT_HOME=str(up.home))
    second.process.start()
    assert second.process.wait(30) == 1
    assert re.search(rf"another `colt up` \(process {up.process.pid}\) uses the data folder", second.process.output())
    assert up.is_ready()


def assert_a_log_may_be_cut_short_while_it_is_written(up: Up) -> None:
    """As `logrotate` does with `copytruncate`: the next line is at the beginning, not behind a
    hole."""
    log = up.home / "logs" / "api.log"
    wait_until(lambda: log.stat().st_size > 0, 10, "something is logged")
    os.truncate(log, 0)
    assert httpx.post(f"{up.url}/api/v1/jobs/nothing/cancel").status_code == 404
    wait_until(lambda: log.stat().st_size > 0, 10, "the request is logged")
    assert log.read_bytes().startswith(b"{")


def test_a_child_that_is_killed_is_started_again(up: Up) -> None:
    """The API at once; the worker, which cannot be started at first, as soon as it can."""
    up.start_and_wait()
    kill(up, "api")
    wait_until(up.is_ready, 60, "the service is ready again")

    log = up.home / "logs" / "worker.log"
    log.rename(log.with_suffix(".old"))
    log.mkdir()  # as without memory for a process, its start is an OSError
    killed = kill(up, "worker")
    wait_until(lambda: up.process.output().count("The worker cannot be started: ") == 2, 20, "it is tried twice")
    assert "the next try is in 4 s" in up.process.output(), "later each time"
    assert up.child("api").is_running()
    log.rmdir()
    wait_until(log.is_file, 20, "it is started")
    wait_until(lambda: started_again(up, killed, "worker"), 15, "another runs")
    wait_until(up.is_ready, 60, "the service is ready again")
    assert up.process.stop(30) == 0
    assert list(marked(up.mark)) == []


def kill(up: Up, module: str) -> psutil.Process:
    """Returns the one that was killed."""
    killed = up.child(module)
    killed.kill()
    wait_until(lambda: f"The {module} was ended by SIGKILL" in up.process.output(), 10, "its end is noticed")
    if module == "api":
        wait_until(lambda: started_again(up, killed, module), 15, "another runs")
    return killed


def started_again(up: Up, killed: psutil.Process, module: str) -> bool:
    return any(
        child.pid != killed.pid and child.cmdline()[1:3] == ["-m", module]
        for child in psutil.Process(up.process.pid).children()
    )


def test_nothing_outlives_a_killed_colt_up(up: Up) -> None:
    if sys.platform != "linux":
        cannot_run("only Linux signals a child that its parent has died")
    up.start_and_wait()
    up.process.kill(signal.SIGKILL)
    wait_until(lambda: not list(marked(up.mark)), 30, "API and worker end by themselves")


def test_a_port_in_use_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        late = Up(tmp_path, COLT_PORT=str(port))
        late.process.start()
        assert late.process.wait(30) == 1
    assert f"cannot listen on port {port} of 127.0.0.1" in late.process.output()
    assert "COLT_PORT" in late.process.output()
    assert not (late.home / "colt.db").exists()


def test_an_open_address_without_a_token_is_refused_with_the_reason(tmp_path: Path) -> None:
    service = Up(tmp_path, COLT_HOST="0.0.0.0")
    service.process.start()
    assert service.process.wait(60) == 1
    assert "colt token create" in service.process.output()
    assert "Starting" not in service.process.output()


def test_a_worker_that_cannot_start_ends_it_with_the_last_lines_of_its_log(tmp_path: Path) -> None:
    service = Up(tmp_path, COLT_BROKER_URL="carrier-pigeon://loft")
    service.process.start()
    assert service.process.wait(120) == 1
    assert "The worker ended with exit code 1 before the service was ready. Its last lines" in service.process.output()
    assert "carrier-pigeon" in service.process.output()
    assert end_marked(service.mark) == []
