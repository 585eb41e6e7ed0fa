"""What deleted rows leave in an SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from store.database import build_engine
from store.migrate import upgrade
from store.space import free_bytes, give_back, rewrite

ROW = 2**16


def filled_and_emptied(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE filler (value BLOB)")
        connection.executemany("INSERT INTO filler VALUES (randomblob(?))", [(ROW,)] * 40)
        connection.commit()
        connection.execute("DELETE FROM filler")
        connection.commit()


def test_the_space_of_deleted_rows_goes_back_to_the_disk(tmp_path: Path) -> None:
    file = tmp_path / "colt.db"
    engine = build_engine(f"sqlite:///{file}")
    upgrade(engine)
    filled_and_emptied(file)
    before = file.stat().st_size
    assert free_bytes(engine) > 39 * ROW
    returned = give_back(engine)
    assert returned > 39 * ROW and free_bytes(engine) == 0
    assert file.stat().st_size == before - returned
    assert give_back(engine) == 0
    engine.dispose()


def test_the_file_of_an_earlier_version_is_written_anew_once(tmp_path: Path) -> None:
    file = tmp_path / "colt.db"
    with closing(sqlite3.connect(file)) as connection:  # which gives nothing back by itself
        connection.execute("CREATE TABLE kept (value INTEGER)")
        connection.execute("INSERT INTO kept VALUES (7)")
        connection.commit()
    filled_and_emptied(file)
    engine = build_engine(f"sqlite:///{file}")
    assert give_back(engine) == 0 and free_bytes(engine) > 39 * ROW
    rewrite(engine)
    assert free_bytes(engine) == 0 and file.stat().st_size < ROW
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT value FROM kept").scalar_one() == 7
        assert connection.exec_driver_sql("PRAGMA auto_vacuum").scalar_one() == 2
    engine.dispose()
