"""The whole service as real processes: `python -m api` and workers, on either pair of back ends."""

from __future__ import annotations

import contextlib
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

import httpx

from store.database import build_engine, sqlite_url
from store.migrate import upgrade
from tests.support.processes import MARK, WATCHED, Process, clean_environment, end_marked, free_port, wait_until
from tests.support.servers import Postgres, Redis

Kind = Literal["embedded", "distributed"]
STACKS: tuple[Kind, ...] = get_args(Kind)

# Short times, so that a test of a lost worker takes seconds. (One thread each is what
# tests/conftest.py sets for all.)
QUICK = {
    "COLT_LEASE_SECONDS": "6",  # a busy machine may stop a process for some seconds
    "COLT_POLL_SECONDS": "0.2",
    "COLT_RECONCILE_SECONDS": "0.5",
    "COLT_TORCH_THREADS": "1",
    "COLT_JOBS_SIDE_BY_SIDE": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONUNBUFFERED": "1",
}


class Stack:
    """API and workers. `client` talks to the API; `api` and `workers[i]` can be killed and started
    again.

    The workers of a distributed stack share only the database, the broker and the artifacts, as on
    several machines.
    """

    def __init__(self, folder: Path, *, workers: int, shared: Mapping[str, str], one_home: bool) -> None:
        self.mark = uuid.uuid4().hex
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.home = folder / "home"  # of the API, and of everything in an embedded stack
        mine = {MARK: self.mark, "COLT_PORT": str(self.port), "COLT_HOME": str(self.home)}
        self.env = clean_environment(**{**QUICK, **mine, **shared})
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self.api = Process("api", [sys.executable, "-m", "api"], env=self.env, folder=folder)
        self.workers = [
            Process(
                f"worker-{number}",
                [sys.executable, "-m", "worker"],
                env=self.env if one_home else {**self.env, **_machine(folder, number)},
                folder=folder,
            )
            for number in range(1, workers + 1)
        ]

    @property
    def processes(self) -> list[Process]:
        return [self.api, *self.workers]

    def start(self) -> None:
        """Migrate, start everything, and wait until the service is ready."""
        self._migrate()
        for process in self.processes:
            process.start()
        self.wait_ready()

    def _migrate(self) -> None:
        """By `colt migrate`; an SQLite file in this process, which saves most stacks a start."""
        if "COLT_DATABASE_URL" not in self.env:
            engine = build_engine(sqlite_url(self.home / "colt.db"))
            upgrade(engine)
            engine.dispose()
            return
        migrate = Process("migrate", [sys.executable, "-m", "cli", "migrate"], env=self.env, folder=self.folder)
        migrate.start()
        assert migrate.wait(60) == 0, migrate.tail()

    def wait_ready(self, seconds: float = 60) -> None:
        """Wait for `/readyz` to answer 200; or `/healthz`, as without a worker the service is not
        ready."""
        wait_until(self._ready, seconds, "the service is ready")

    def _ready(self) -> bool:
        for process in self.processes:
            assert process.running or process.exit_code in {None, -9, -15}, f"{process.name} ended: {process.tail()}"
        try:
            return self.client.get("/readyz" if self.workers else "/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End everything.

        Raises:
            AssertionError: when a process that was asked to end left one of its own behind.
        """
        self.client.close()
        for process in reversed(self.processes):
            process.send(15)
        late = []
        for process in self.processes:
            if process.exit_code is None and process.running:
                try:
                    process.wait(30)
                except TimeoutError as error:
                    late.append(str(error))
        left = end_marked(self.mark)
        assert not late, "\n".join(late)
        assert not left, f"left behind: {left}"


def _machine(folder: Path, number: int) -> dict[str, str]:
    return {"COLT_HOME": str(folder / f"worker-{number}"), "COLT_WORKER_ADDRESS": f"127.0.0.{number + 1}"}


StartStack = Callable[..., Stack]  # `start_stack` of tests/conftest.py


@contextlib.contextmanager
def running_stack(
    folder: Path,
    kind: Kind,
    postgres: Postgres | None = None,
    redis: Redis | None = None,
    workers: int | None = None,
    **env: str,
) -> Iterator[Stack]:
    """A ready stack: `embedded` (SQLite, files, one worker) or `distributed` (Postgres, Redis, two
    workers)."""
    with contextlib.ExitStack() as cleanup:
        shared = dict(env)
        if kind == "distributed":
            assert postgres is not None and redis is not None
            if "COLT_DATABASE_URL" not in shared:  # else it is one with data in it
                shared["COLT_DATABASE_URL"] = cleanup.enter_context(postgres.database(migrated=False))
            shared["COLT_BROKER_URL"] = redis.fresh_url()
            shared["COLT_ARTIFACTS_URL"] = str(folder / "artifacts")
        count = workers if workers is not None else (1 if kind == "embedded" else 2)
        stack = Stack(folder, workers=count, shared=shared, one_home=kind == "embedded")
        WATCHED.extend(stack.processes)
        try:
            stack.start()
            yield stack
        finally:
            for process in stack.processes:
                WATCHED.remove(process)
            stack.stop()
