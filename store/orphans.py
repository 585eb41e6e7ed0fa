"""Artifacts that no row names.

They remain when a process is killed between writing a file and adding its row, or between deleting
a row and deleting its files.

No file is deleted while it is being written. Files are listed before the rows are read, and:
- Checkpoints: only the holder of the job's lease adds rows, and no two writers share a name. The
  checkpoints of a leased job are skipped. A writer without its lease can add no row.
- Data sets and pools: the row is written before the files. Each attempt has a folder named by its
  lease, which is skipped while the lease is held.
- Scores of sampling rounds: as checkpoints.
- Exports: as data sets. The folder is one of the job's, and is deleted with it.
- Uploads: the row is written after the file. A file that is being written is young, and only files
  that have been unchanged for a long time are orphans. The parts of an unfinished one are kept as
  long as its row.
"""

from __future__ import annotations

import re
import time

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from store.artifacts import ArtifactStore
from store.database import reading
from store.models import Checkpoint, Export, Job, Registered, RoundScores, UnfinishedUpload, Upload, leased_models
from store.statuses import RegistrationStatus

_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.partial$")  # as ArtifactStore.write names them


def find_orphans(artifacts: ArtifactStore, age: float, engine: Engine | None = None) -> list[str]:
    """Keys to delete: folders that no row names, and partial files.

    They have been unchanged for `age` seconds. Only names that the service itself uses are
    returned, since the store may have other files.
    """
    newest: dict[str, float] = {}
    for key, modified in artifacts.files():
        for owner in filter(None, (_owner(key), key if _PARTIAL.search(key) else None)):
            newest[owner] = max(modified, newest.get(owner, 0.0))
    with reading(engine) as session:
        named = named_folders(session)
        leased = set(session.scalars(select(Job.id).where(Job.lease_token.is_not(None))))
    before = time.time() - age
    orphans = {
        key
        for key, modified in newest.items()
        if modified < before and key not in named and not (key.startswith("jobs/") and key.split("/")[1] in leased)
    }
    # Without files of a folder that is deleted as a whole.
    return sorted(key for key in orphans if _owner(key) in (key, None) or _owner(key) not in orphans)


def named_folders(session: Session) -> set[str]:
    """Folders in the artifact store that rows name, and single files."""
    named = set(session.scalars(select(Checkpoint.artifact).where(Checkpoint.usable)))
    named |= set(session.scalars(select(RoundScores.file).where(RoundScores.file.is_not(None))))
    for uploads in (UnfinishedUpload, Upload):  # the first become the second, under the same id
        named |= {f"{Upload.__tablename__}/{row_id}" for row_id in session.scalars(select(uploads.id))}
    for row in (row for model in leased_models(Registered) for row in session.scalars(select(model))):
        if row.status != RegistrationStatus.FAILED:  # a failed registration is not retried, so its files are unused
            named |= {row.folder, row.artifact}
            if row.lease_token is not None:
                named.add(row.folder_of(row.lease_token))
    for export in session.scalars(select(Export)):
        named |= {export.folder, (export.artifact or "").rpartition("/")[0]} - {""}
        if export.lease_token is not None:
            named.add(export.folder_of(export.lease_token))
    return named


def _owner(key: str) -> str | None:
    """The folder around `key` that a row would name; None if the service uses no such key."""
    registered = {model.__tablename__ for model in leased_models(Registered)}
    match key.split("/"):
        case [kind, row_id, attempt, _, *_] if kind in registered:
            return f"{kind}/{row_id}/{attempt}"
        case [kind, row_id, _, *_] if kind in registered or kind == Upload.__tablename__:
            return f"{kind}/{row_id}"
        case ["jobs", row_id, "checkpoints", name, _, *_]:
            return f"jobs/{row_id}/checkpoints/{name}"
        case ["jobs", _, "rounds", _]:
            return key
        case ["jobs", row_id, "exports", export_id, attempt, _, *_]:
            return f"jobs/{row_id}/exports/{export_id}/{attempt}"
        case ["health", _]:
            return key
    return None
