"""Files that no row names: what a kill left half done, or what could not be deleted when its row
was."""

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

# Files come before their rows; while one is written it is younger than this, however long that
# takes.
AT_LEAST_AS_OLD = 3600.0
DOUBT = "no file there is named by this database: are COLT_DATABASE_URL and COLT_ARTIFACTS_URL right?"


def examine_orphans(artifacts: ArtifactStore, home: Path) -> Iterator[Finding]:
    """Everything in the artifact store, in its local cache and among the logs that no row names.

    Raises:
        ArtifactsUnavailable: when the store is away.
    """
    orphans = find_orphans(artifacts, AT_LEAST_AS_OLD)
    # A store and a database that have nothing in common belong to different services: nothing is
    # deleted then.
    related = bool(orphans) and _names_any(artifacts)
    for key in orphans:
        what = f"{key} in the artifact store is named by no row"
        yield Finding(what, "delete it", partial(artifacts.delete, key)) if related else Finding(what, DOUBT)
    cache = home / "cache"
    for key in find_orphans(ArtifactStore(str(cache), cache), AT_LEAST_AS_OLD):
        yield Finding(f"{key} in the local cache is named by no row", "delete it", partial(_remove, cache / key))
    yield from _logs(home / "logs")


def _names_any(artifacts: ArtifactStore) -> bool:
    with reading() as session:
        folders = named_folders(session)
    return any(key.rpartition("/")[0] in folders for key, _ in artifacts.files())


def _logs(logs: Path) -> Iterator[Finding]:
    for model in leased_models():
        found = {path.stem: path for path in (logs / model.__tablename__).glob("*.log")}
        with reading() as session:  # after the files: a log comes after its row
            kept = set(session.scalars(select(model.id)))
        for row_id in sorted(found.keys() - kept):
            path = found[row_id]
            yield Finding(f"{path.relative_to(logs.parent)} is the log of a row that is gone", "delete it", path.unlink)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
