"""Artifacts that no row names: what a killed process left between a file and its row, or a row and
its files' removal.

Nothing is taken from under a writer. Files are listed before the rows are read, and:
- a checkpoint's row is added by whoever holds the job's lease, under a name that nobody else
  writes: those of a job that is leased are left alone, and a writer that has lost its lease adds no
  row any more;
- a data set or pool has its row before its files, and each attempt a folder named by its lease,
  which is left alone while that is held; an upload has its row after them, while a file that is
  being written is young: only what has been left alone for a long time is an orphan.
"""

from __future__ import annotations

import re
import time

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from store.artifacts import ArtifactStore
from store.database import reading
from store.models import Checkpoint, Job, Registered, Upload, leased_models
from store.statuses import RegistrationStatus

_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.partial$")  # as ArtifactStore.write names them


def find_orphans(artifacts: ArtifactStore, age: float, engine: Engine | None = None) -> list[str]:
    """Keys to delete: folders that no row names, and parts of files, untouched for `age` seconds.

    What the service does not name itself is none of them; a store may hold other files.
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
    return sorted(key for key in orphans if _owner(key) in (key, None) or _owner(key) not in orphans)  # each part once


def named_folders(session: Session) -> set[str]:
    """The folders that rows name."""
    named = set(session.scalars(select(Checkpoint.artifact).where(Checkpoint.usable)))
    named |= {f"{Upload.__tablename__}/{row_id}" for row_id in session.scalars(select(Upload.id))}
    for row in (row for model in leased_models(Registered) for row in session.scalars(select(model))):
        if row.status != RegistrationStatus.FAILED:  # one that failed will not be tried again, and leaves nothing
            named |= {row.folder, row.artifact}
            if row.lease_token is not None:
                named.add(row.folder_of(row.lease_token))
    return named


def _owner(key: str) -> str | None:
    """The folder that a row names as a whole, or would."""
    registered = {model.__tablename__ for model in leased_models(Registered)}
    match key.split("/"):
        case [kind, row_id, attempt, _, *_] if kind in registered:
            return f"{kind}/{row_id}/{attempt}"
        case [kind, row_id, _, *_] if kind in registered or kind == Upload.__tablename__:
            return f"{kind}/{row_id}"
        case ["jobs", row_id, "checkpoints", name, _, *_]:
            return f"jobs/{row_id}/checkpoints/{name}"
        case ["health", _]:
            return key
    return None
