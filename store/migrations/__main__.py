"""Write a migration for what the models have and the newest migration lacks.

Usage: `python -m store.migrations "why"`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from store import migrate
from store.database import build_engine


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m store.migrations", description=__doc__)
    parser.add_argument("message", help="what changes, in a few words")
    message = parser.parse_args().message
    existing = list(ScriptDirectory.from_config(migrate.alembic_config()).walk_revisions())
    with tempfile.TemporaryDirectory() as folder:
        engine = build_engine(f"sqlite:///{Path(folder) / 'empty.db'}")
        if existing:
            migrate.upgrade(engine)
        with engine.begin() as connection:
            number = f"{len(existing) + 1:04d}"
            command.revision(migrate.alembic_config(connection), message, autogenerate=True, rev_id=number)
        engine.dispose()


if __name__ == "__main__":
    main()
