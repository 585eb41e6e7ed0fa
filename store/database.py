"""Engine and sessions. API, worker, command line and tests use the same kind."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from pydantic_core import from_json
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.orm import Session, sessionmaker

from store.cancellation import cancellable, was_asked
from store.home import make_home
from store.settings import get_settings

# The API runs so many queries at once (api/http/threads.py).
POOL_SIZE = 40
# Options of libpq; the URL may override them. Without them a connection waits for minutes for a
# server whose machine is gone.
PATIENCE = {
    "connect_timeout": 5,  # seconds
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # milliseconds
}
_TOO_LONG = {"55P03", "57014"}  # Postgres: lock_not_available, query_canceled


def build_engine(url: str | URL) -> Engine:
    """An engine for SQLite or Postgres, set up for use by several processes.

    Raises:
        sqlalchemy.exc.ArgumentError: when the URL cannot be parsed.
    """
    parsed = make_url(url)
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine_of = partial(
        create_engine,
        parsed,
        pool_size=POOL_SIZE,
        max_overflow=10,
        pool_use_lifo=True,  # connections opened in a rush stay idle after it, and their caches stop growing
        json_deserializer=from_json,
    )
    if parsed.get_backend_name() != "sqlite":
        patience = {name: value for name, value in PATIENCE.items() if name not in parsed.query}
        return engine_of(pool_pre_ping=True, connect_args=patience)
    if parsed.database:
        make_home(Path(parsed.database).parent)
    engine = engine_of()
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver opens transactions late and upgrades them, which lost updates between processes.
    # So _begin_sqlite opens them.
    connection.isolation_level = None
    pragmas = ["busy_timeout=10000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"]
    if connection.execute("PRAGMA page_count").fetchone() == (0,):
        # A new file can give space back (store/space.py). Of an old one, this would only take the
        # write lock.
        pragmas.insert(1, "auto_vacuum=INCREMENTAL")
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A reader takes no write lock. Every other transaction takes it at its start, so none is
    # upgraded later.
    readonly = connection.get_execution_options().get("colt_readonly", False)
    connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")


def limit_waits(engine: Engine, lock_seconds: float, statement_seconds: float) -> None:
    """Let no statement of this engine wait for a lock, or run, for longer than this.

    For a process that has to answer soon. Without limits, one locked table holds all threads that
    ask for it. A statement that waits too long is an `OperationalError`. SQLite has one lock, and
    no limit on running.
    """

    def limit(connection: Any, _record: Any) -> None:
        if engine.dialect.name == "sqlite":
            connection.execute(f"PRAGMA busy_timeout={_milliseconds(lock_seconds)}")
            return
        connection.execute(f"SET lock_timeout = {_milliseconds(lock_seconds)}")
        connection.execute(f"SET statement_timeout = {_milliseconds(statement_seconds)}")
        connection.commit()  # a rollback would undo them

    event.listen(engine, "connect", limit)
    engine.dispose()  # connections of before have no limits


def waited_too_long(error: BaseException) -> bool:
    """Whether a lock was not free in time, or a statement took too long."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.OperationalError):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return getattr(cause, "sqlstate", None) in _TOO_LONG


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))  # to Postgres, 0 means without limit


def on_database_error(listener: Callable[[BaseException], None]) -> Callable[[BaseException], None]:
    """Call the decorated `listener` with every database error in this process."""

    def tell(context: ExceptionContext) -> None:
        if was_asked():  # it is what was wanted
            return
        listener(context.sqlalchemy_exception or context.original_exception)

    event.listen(Engine, "handle_error", tell)
    return listener


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for a database of another kind."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def copy_sqlite(file: Path, copy: Path) -> None:
    """Copy an SQLite database as it is at one moment, while others read and write it.

    Raises:
        sqlite3.Error: when it cannot be copied or is damaged.
    """
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        (found,) = target.execute("PRAGMA integrity_check").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"the database is damaged: {found}")


def sqlite_url(file: Path) -> URL:
    return URL.create("sqlite", database=str(file))


@lru_cache
def get_engine() -> Engine:
    """The process's engine, made once."""
    return build_engine(get_settings().database_url.get_secret_value())


@contextmanager
def writing(engine: Engine | None = None) -> Iterator[Session]:
    """A session whose transaction may write. Keep it short.

    It is committed at the end and rolled back on an exception. Postgres ends a transaction that is
    idle for as long as a lease. Otherwise a paused process, or one whose machine is
    gone, would keep its rows locked while its connection seems alive. No other worker could take
    them over.
    """
    with sessionmaker(engine or get_engine(), expire_on_commit=False).begin() as session:
        if session.get_bind().dialect.name == "postgresql":
            milliseconds = _milliseconds(get_settings().lease_seconds)
            session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}"))
        yield session


@contextmanager
def reading(engine: Engine | None = None) -> Iterator[Session]:
    """A session that only reads, and therefore blocks no writer.

    All that it reads is from one moment. Otherwise a row could be deleted between a look-up of it
    and one of a row that it refers to. SQLite reads like this by itself.
    """
    engine = engine or get_engine()
    isolation = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    engine = engine.execution_options(colt_readonly=True, **isolation)
    with Session(engine, expire_on_commit=False) as session, cancellable(session):
        yield session
