"""`colt backup`: a copy of the data folder while the service runs; with COLT_HOME set to it, it is
a service again."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from cli.errors import Refused
from store.database import build_engine, copy_sqlite, reading, sqlite_file, sqlite_url
from store.orphans import named_folders
from store.settings import get_settings

TURNS = 10

POSTGRES = (
    "the database is not SQLite: back it up with pg_dump, then copy the artifacts ({artifacts}); see docs/operate.md."
)


def backup(target: Path) -> int:
    """Copy database and artifacts into a folder that does not exist yet; it gets its name once it
    is whole.

    Raises:
        Refused: when there is no SQLite database, or the folder cannot be written.
    """
    settings = get_settings()
    database = sqlite_file(settings.database_url.get_secret_value())
    if database is None:
        raise Refused(POSTGRES.format(artifacts=settings.artifacts_url))
    if "://" in settings.artifacts_url:
        raise Refused(f"the artifacts are not in a folder: copy {settings.artifacts_url} with that store's own tools.")
    artifacts = Path(settings.artifacts_url)
    if not database.is_file():
        raise Refused(f"there is no database in {settings.home}. COLT_HOME names the data folder.")
    if target.exists():
        raise Refused(f"{target} exists already; name a folder that does not.")
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.mkdir(parents=True)
    except OSError as error:  # it is somebody's, if it is there: of a backup that runs, or that was killed
        raise Refused(f"cannot begin the backup in {partial}: {error.strerror}") from error
    try:
        files = _copy_all(database, artifacts, partial)
        partial.rename(target)
    except (OSError, sqlite3.Error, DBAPIError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise Refused(f"the backup is not complete, and was removed: {error}") from error
    print(f"{target}: the database and {files} files. To restore, start with COLT_HOME={target}.")
    return 0


def _copy_all(database: Path, artifacts: Path, into: Path) -> int:
    """Copy the files, and a database that names none but them. Returns how many files.

    Files are never changed once they are there, are written before the rows that name them, and
    deleted after these. So what the database names when it is copied is there before, or comes with
    the next turn, unless its row is gone by then: a training drops old checkpoints. The database is
    copied anew in that case; a turn is short after the first.
    """
    files = _copy_new(artifacts, into / "artifacts")
    for _ in range(TURNS):
        copy_sqlite(database, into / "colt.db")
        files += _copy_new(artifacts, into / "artifacts")
        if _named(into / "colt.db") <= _named(database):
            return files
    raise OSError("checkpoints are dropped faster than they are copied; try again while less is trained")


def _named(database: Path) -> set[str]:
    engine = build_engine(sqlite_url(database))
    try:
        with reading(engine) as session:
            return named_folders(session)
    finally:
        engine.dispose()


def _copy_new(source: Path, into: Path) -> int:
    """Copy the files that are not there yet. Returns how many."""
    count = 0
    # os.walk passes over a folder that vanished meanwhile; rglob, which reads each folder twice,
    # fails at it.
    paths = (Path(folder, name) for folder, _, names in os.walk(source) for name in names)
    for path in paths:
        copy = into / path.relative_to(source)
        if path.suffix == ".partial" or copy.exists() or not path.is_file():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(path, copy)
            count += 1
        except FileNotFoundError:  # deleted meanwhile
            copy.unlink(missing_ok=True)
    return count
