"""Whether the database is undamaged and has the schema that this version needs."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import text

from store import migrate
from store.database import get_engine, reading
from store.doctor.finding import Finding
from store.space import free_bytes, rewrite

MUCH_FREE = 2**27  # bytes; less is soon used by new rows


def examine_database() -> Iterator[Finding]:
    """Check the schema's revision, and on SQLite every page and every reference.

    Raises:
        DatabaseIsNewer: when a newer version has migrated the database. This version does not know
            all tables, and would take files that they name for orphans.
        sqlalchemy.exc.SQLAlchemyError: when the database does not answer.
    """
    migrate.check_not_newer(get_engine())
    if (found := migrate.current(get_engine())) != (needed := migrate.head()):
        yield Finding(f"the database's schema is {found}, this version needs {needed}", "run `colt migrate`")
    if get_engine().dialect.name != "sqlite":
        return
    if (free := free_bytes()) >= MUCH_FREE:
        what = f"the database file has {free:,} free bytes, left by deleted rows"
        advice = "write a new file without them; nothing else can write meanwhile, so do it at a quiet time"
        yield Finding(what, advice, rewrite)
    with reading() as session:
        told = list(session.scalars(text("PRAGMA integrity_check(5)")))
        dangling = session.execute(text("PRAGMA foreign_key_check")).all()
    for line in told:
        if line != "ok":
            yield Finding(f"the database file is damaged: {line}", "stop the service and restore a backup")
    for table in sorted({row[0] for row in dangling}):
        yield Finding(f"rows of {table} refer to missing rows", "stop the service and restore a backup")
