"""Rows whose files are missing or damaged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.artifacts import ArtifactStore, Stored
from store.database import reading, writing
from store.doctor.finding import Finding
from store.models import Checkpoint, Job, Registered, RoundScores, Upload, leased_models
from store.repositories import jobs
from store.repositories.checkpoint_work import is_asked_about
from store.statuses import RegistrationStatus

MISSING, DAMAGED = "is missing", "is not what was written: it is damaged"


def examine_files(artifacts: ArtifactStore) -> Iterator[Finding]:
    """Read every file that a row names, and compare it with what was written.

    Raises:
        ArtifactsUnavailable: when the store cannot be used.
    """
    yield from _registered(artifacts)
    yield from _uploads(artifacts)
    yield from _checkpoints(artifacts)
    yield from _rounds(artifacts)


def _registered(artifacts: ArtifactStore) -> Iterator[Finding]:
    with reading() as session:
        rows = [
            row
            for model in leased_models(Registered)
            for row in session.scalars(
                select(model).where(model.status == RegistrationStatus.READY).order_by(model.created_at)
            )
        ]
    for row in rows:
        # Earlier versions recorded neither sizes nor digests.
        files = row.files or {"images.npy": None, "meta.json": None}
        for name, written in files.items():
            state = _state(artifacts, f"{row.artifact}/{name}", written and Stored(**written))
            if state is not None and _is_there(row):
                yield Finding(
                    f"{row.__tablename__} '{row.name}' ({row.id}): {name} {state}",
                    "restore the artifact store from a backup, or register the data again",
                )


def _uploads(artifacts: ArtifactStore) -> Iterator[Finding]:
    with reading() as session:
        rows = session.scalars(select(Upload).order_by(Upload.created_at)).all()
    for row in rows:
        state = _state(artifacts, row.artifact, Stored(row.bytes, row.sha256))
        if state is not None and _is_there(row):
            yield Finding(f"upload '{row.filename}' ({row.id}) {state}", "delete it, and send the file again if needed")


def _checkpoints(artifacts: ArtifactStore) -> Iterator[Finding]:
    of_job: defaultdict[str, list[Checkpoint]] = defaultdict(list)
    names: dict[str, str] = {}
    with reading() as session:
        named = select(Checkpoint, Job.name).join(Job, Job.id == Checkpoint.job_id).where(Checkpoint.usable)
        for row, name in session.execute(named.order_by(Checkpoint.job_id, Checkpoint.step)):
            of_job[row.job_id].append(row)
            names[row.job_id] = name
    for job_id, listed in of_job.items():
        states = {
            row.id: _state(artifacts, f"{row.artifact}/checkpoint.pt", Stored(row.bytes, row.sha256)) for row in listed
        }
        rows = [row for row in listed if states[row.id] is None or _is_there(row)]
        some_are_whole = None in states.values()
        for row in rows:
            what = f"job '{names[job_id]}' ({job_id}): the checkpoint of epoch {row.epoch}, step {row.step}"
            if (state := states[row.id]) is not None:
                yield _lost(artifacts, row, f"{what} {state}", some_are_whole)
            elif (state := _backbone(artifacts, row)) is not None and _is_there(row):
                yield Finding(
                    f"{what} is whole, but the backbone beside it {state}", "use the backbone of another checkpoint"
                )


def _rounds(artifacts: ArtifactStore) -> Iterator[Finding]:
    with reading() as session:
        named = select(RoundScores, Job.name).join(Job, Job.id == RoundScores.job_id)
        order = RoundScores.job_id, RoundScores.round
        rows = session.execute(named.where(RoundScores.file.is_not(None)).order_by(*order)).all()
    for row, name in rows:
        state = _state(artifacts, row.file or "", Stored(row.bytes, row.sha256))
        if state is None:
            continue
        with reading() as session:  # reading files takes long
            now = session.get(RoundScores, (row.job_id, row.round))
        if now is not None and now.file == row.file:
            yield Finding(
                f"job '{name}' ({row.job_id}): the file with the scores of round {row.round} {state}",
                "restore the artifact store from a backup; its figures and picks are in the database",
            )


def _lost(artifacts: ArtifactStore, row: Checkpoint, what: str, some_are_whole: bool) -> Finding:
    """The finding for a checkpoint that no run can resume from.

    Its row is removed only if the job has an undamaged checkpoint. Otherwise the artifact store may
    be the wrong one.
    """
    if not some_are_whole:
        return Finding(
            what,
            "this job has no undamaged checkpoint: restore the artifact store, or resume from the start",
        )
    with reading() as session:
        if not _removable(session, row):
            return Finding(
                what, "nothing: its row has results or its job runs, and jobs resume from an undamaged checkpoint"
            )

    def mend() -> None:
        with writing() as session:
            jobs.lock(session, row.job_id)
            removed = _removable(session, row)
            if removed:
                session.execute(delete(Checkpoint).where(Checkpoint.id == row.id))
        if removed:
            artifacts.delete(row.artifact)

    return Finding(what, "remove its row and the rest of its files; the job resumes from an undamaged checkpoint", mend)


def _removable(session: Session, row: Checkpoint) -> bool:
    """Whether the row may be deleted: it has no results, and its job is not running."""
    alone = session.scalar(select(Checkpoint.id).where(Checkpoint.id == row.id, ~is_asked_about()))
    job = session.get(Job, row.job_id)
    return alone is not None and job is not None and job.lease_token is None


def _is_there(row: Registered | Upload | Checkpoint) -> bool:
    """Whether the row still exists. Reading files takes long, and it may have been deleted."""
    with reading() as session:
        return session.get(type(row), row.id) is not None


def _backbone(artifacts: ArtifactStore, row: Checkpoint) -> str | None:
    key = f"{row.artifact}/backbone.safetensors"
    try:
        size = artifacts.size(key)
    except FileNotFoundError:
        return MISSING
    return _state(artifacts, key, None if row.backbone_sha256 is None else Stored(size, row.backbone_sha256))


def _state(artifacts: ArtifactStore, key: str, stored: Stored | None) -> str | None:
    """What is wrong with a file, or None. Without `stored`, only its existence is checked."""
    try:
        whole = artifacts.size(key) >= 0 if stored is None else artifacts.holds(key, stored)
    except FileNotFoundError:
        return MISSING
    return None if whole else DAMAGED
