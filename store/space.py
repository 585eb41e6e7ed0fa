"""Disk space that deleted rows took."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine

from store.database import get_engine

_PAGES = 2000  # that SQLite gives back under one lock: milliseconds
_INCREMENTAL = 2


def free_bytes(engine: Engine | None = None) -> int:
    """Bytes of an SQLite file that hold nothing and wait for new rows; 0 of another database."""
    engine = engine or get_engine()
    if engine.dialect.name != "sqlite":
        return 0
    with engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        return _pragma(driver, "freelist_count") * _pragma(driver, "page_size")


def give_back(engine: Engine | None = None) -> int:
    """Give the free pages of an SQLite file back to its disk, some at a time, so that others write
    in between.

    Returns:
        How many bytes. 0 if the database is another one, which does it by itself, or was made by an
        earlier version: `colt doctor --fix` then rewrites it.

    Raises:
        sqlite3.OperationalError: when others write for too long.
    """
    engine = engine or get_engine()
    if engine.dialect.name != "sqlite":
        return 0
    with engine.connect() as connection:  # nothing is executed over it, so it begins no transaction
        driver: Any = connection.connection.dbapi_connection
        if _pragma(driver, "auto_vacuum") != _INCREMENTAL:
            return 0
        size, before = _pragma(driver, "page_size"), _pragma(driver, "page_count")
        while _pragma(driver, "freelist_count"):
            driver.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
        driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # which shortens the file
        return max(0, before - _pragma(driver, "page_count")) * size


def rewrite(engine: Engine | None = None) -> None:
    """Write a new SQLite file without the free pages. Others cannot write meanwhile."""
    with (engine or get_engine()).connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.execute("PRAGMA auto_vacuum=INCREMENTAL")  # which VACUUM makes of a file that lacked it
        driver.execute("VACUUM")
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _pragma(driver: Any, name: str) -> int:
    (value,) = driver.execute(f"PRAGMA {name}").fetchone()
    return int(value)
