"""Migrating a database to the newest schema.

Several processes may call `upgrade` at once: one migrates, the others wait.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

SCRIPTS = Path(__file__).parent / "migrations"
# Any constant that nothing else in the database locks.
ADVISORY_LOCK = 0xC0_17


class MigrationFailed(Exception):
    """The migrated rows do not fit the schema. Nothing was changed."""


class DatabaseIsNewer(Exception):
    """A newer version of this service has migrated the database; this one cannot read its rows."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the database is newer than this version: it is at revision {found}; this version needs {head()}. "
            "Install the version that migrated it, or restore a backup from before that migration."
        )


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration. There is no alembic.ini, since the address comes from Settings."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine) -> None:
    """Migrate to the newest schema, in one transaction that holds a lock.

    A database with the newest schema stays unchanged.

    Raises:
        DatabaseIsNewer: when a newer version has migrated the database.
        MigrationFailed: when a migration would leave rows that refer to missing rows.
        sqlalchemy.exc.OperationalError: when the database cannot be reached.
    """
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            _upgrade_sqlite(connection)
            return
        with connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            _refuse_newer(_revision(connection))
            command.upgrade(alembic_config(connection), "head")


def _upgrade_sqlite(connection: Connection) -> None:
    # SQLite alters a table by building a new one and dropping the old one. With foreign keys
    # enforced, the drop would delete the rows that refer to the table. The switch works only
    # outside a transaction, so it is sent over the driver's connection.
    driver = connection.connection.dbapi_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        with connection.begin():  # BEGIN IMMEDIATE (store/database.py) takes the lock
            _refuse_newer(_revision(connection))
            command.upgrade(alembic_config(connection), "head")
            orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if orphans:
                raise MigrationFailed(f"rows that refer to missing rows: {[tuple(row) for row in orphans[:5]]}")
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


@cache
def head() -> str:
    """The newest revision that this code knows."""
    revision = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert revision is not None
    return revision


def current(engine: Engine) -> str | None:
    """The database's revision; None before the first migration.

    Raises:
        sqlalchemy.exc.OperationalError: when the database cannot be reached.
    """
    with engine.execution_options(colt_readonly=True).connect() as connection:
        return _revision(connection)


def check_not_newer(engine: Engine) -> None:
    """Check that this version knows the database's revision.

    Raises:
        DatabaseIsNewer: when a newer version has migrated the database.
        sqlalchemy.exc.OperationalError: when the database cannot be reached.
    """
    _refuse_newer(current(engine))


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(found: str | None) -> None:
    if found is not None and found not in _known():
        raise DatabaseIsNewer(found)


@cache
def _known() -> frozenset[str]:
    scripts = ScriptDirectory.from_config(alembic_config())
    return frozenset(script.revision for script in scripts.walk_revisions())
