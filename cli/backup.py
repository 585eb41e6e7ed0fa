"""`colt backup`: copy the data folder while the service runs.

To restore, set COLT_HOME to the copy.
"""

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
    """Copy database and artifacts into a new folder, which gets its name once the copy is complete.

    Returns:
        0, the exit code.

    Raises:
        Refused: when there is no SQLite database, when the artifacts are not in a folder, or when
            the target exists or cannot be written.
    """
    settings = get_settings()
    database = sqlite_file(settings.database_url.get_secret_value())
    if database is None:
        raise Refused(POSTGRES.format(artifacts=settings.artifacts_url))
    if "://" in settings.artifacts_url:
        raise Refused(
            f"the artifacts are not in a local folder: copy {settings.artifacts_url} with the tools of that store."
        )
    artifacts = Path(settings.artifacts_url)
    if not database.is_file():
        raise Refused(f"there is no database in {settings.home}. Set COLT_HOME to the data folder.")
    if target.exists():
        raise Refused(f"{target} exists already; name a folder that does not exist yet.")
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.mkdir(mode=0o700, parents=True)  # as the data folder
    except OSError as error:  # an existing one belongs to another backup, which may be running
        raise Refused(f"cannot begin the backup in {partial}: {error.strerror}") from error
    try:
        files = _copy_all(database, artifacts, partial)
        partial.rename(target)
    except (OSError, sqlite3.Error, DBAPIError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise Refused(f"the backup failed, and its incomplete copy was removed: {error}") from error
    print(f"{target}: the database and {files} files. To restore, start with COLT_HOME={target}.")
    return 0


def _copy_all(database: Path, artifacts: Path, into: Path) -> int:
    """Copy the files, and a database that names only copied files.

    Files are written before the rows that name them, deleted after these rows, and never changed.
    So a file that the copied database names is copied with it or before. The exception is a file
    that is deleted meanwhile, since a training drops old checkpoints. Then the database is copied
    again. Every turn after the first is short.

    Returns:
        The number of files.

    Raises:
        OSError: when files are deleted faster than they are copied, or cannot be copied.
    """
    files = _copy_new(artifacts, into / "artifacts")
    for _ in range(TURNS):
        copy_sqlite(database, into / "colt.db")
        files += _copy_new(artifacts, into / "artifacts")
        if _named(into / "colt.db") <= _named(database):
            return files
    raise OSError("checkpoints are deleted faster than they are copied; try again while fewer jobs train")


def _named(database: Path) -> set[str]:
    engine = build_engine(sqlite_url(database))
    try:
        with reading(engine) as session:
            return named_folders(session)
    finally:
        engine.dispose()


def _copy_new(source: Path, into: Path) -> int:
    """Copy the files that `into` lacks. Returns their number."""
    count = 0
    # os.walk skips a folder that is deleted meanwhile. rglob reads each folder twice, and raises.
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
