"""Files that no row names.

They remain after a kill in the middle of a write, or when a file could not be deleted with its row.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import select

from store.artifacts import ArtifactStore
from store.database import reading
from store.doctor.finding import Finding
from store.models import leased_models
from store.orphans import find_orphans, named_folders

# Seconds. Files are written before their rows. A file that is still being written is younger than
# this, however long the whole write takes.
AT_LEAST_AS_OLD = 3600.0
DOUBT = "this database names no file of that store: are COLT_DATABASE_URL and COLT_ARTIFACTS_URL right?"


def examine_orphans(artifacts: ArtifactStore, home: Path) -> Iterator[Finding]:
    """Find what no row names in the artifact store, in its local cache and among the logs.

    Raises:
        ArtifactsUnavailable: when the store cannot be used.
    """
    orphans = find_orphans(artifacts, AT_LEAST_AS_OLD)
    # A store and a database with nothing in common may belong to different services. Then nothing
    # is deleted.
    related = bool(orphans) and _names_any(artifacts)
    for key in orphans:
        what = f"no database row names {key} in the artifact store"
        yield Finding(what, "delete it", partial(_delete, artifacts, key)) if related else Finding(what, DOUBT)
    cache = home / "cache"
    for key in find_orphans(ArtifactStore(str(cache), cache), AT_LEAST_AS_OLD):
        yield Finding(f"no database row names {key} in the local cache", "delete it", partial(_remove, cache / key))
    yield from _logs(home / "logs")


def _names_any(artifacts: ArtifactStore) -> bool:
    with reading() as session:
        folders = named_folders(session)
    return any(key.rpartition("/")[0] in folders for key, _ in artifacts.files())


def _logs(logs: Path) -> Iterator[Finding]:
    for model in leased_models():
        found = {path.stem: path for path in (logs / model.__tablename__).glob("*.log")}
        with reading() as session:  # read after listing the files, since a row precedes its log
            kept = set(session.scalars(select(model.id)))
        for row_id in sorted(found.keys() - kept):
            path = found[row_id]
            yield Finding(f"{path.relative_to(logs.parent)} is the log of a deleted row", "delete it", path.unlink)


def _delete(artifacts: ArtifactStore, key: str) -> None:
    artifacts.delete(key)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
