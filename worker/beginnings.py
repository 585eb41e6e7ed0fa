"""The beginning of a job that another one has trained."""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from colt_core.config import PretrainConfig
from colt_core.events import CheckpointReady
from colt_core.snapshot import DataSizes, Snapshot
from colt_core.training.beginning import Beginning
from colt_core.training.checkpoint import take_over
from colt_core.training.device import Compute
from store import leases
from store.database import reading
from store.leases import Lease
from store.models import Checkpoint, Job
from store.repositories import beginnings, events
from worker.checkpoints import CheckpointFolder
from worker.child import WorkBrokeOff
from worker.patience import retry_transaction

log = logging.getLogger("worker")


def steps_to_share(job: Job, config: PretrainConfig, num_train: int) -> int | None:
    """The steps of the beginning that the job shares with others; None if it shares none."""
    beginning = None if job.beginning is None else Beginning.of(config, num_train)
    return None if beginning is None else beginning.steps


def taken_over(
    lease: Lease,
    job: Job,
    config: PretrainConfig,
    sizes: DataSizes,
    checkpoints: CheckpointFolder,
    own: Snapshot | None,
) -> tuple[Checkpoint, Snapshot] | None:
    """The end of the beginning that another job has trained, as a checkpoint of this job.

    All that the other job has recorded so far is copied in the transaction that adds the
    checkpoint. So a process that is killed has taken over everything or nothing.

    Args:
        lease: on the job.
        job: the job.
        config, sizes: its configuration, and sizes of its data.
        checkpoints: the job's checkpoints.
        own: the state that it would resume from.

    Returns:
        None if no other job has trained it, or its checkpoint cannot serve this one.

    Raises:
        WorkBrokeOff: when the checkpoint cannot be stored.
        LeaseLost: when another worker has the job.
    """
    steps = steps_to_share(job, config, sizes["num_train"])
    if steps is None or (own is not None and (own["rounds"] or own["step"] >= steps)):
        return None
    with reading() as session:
        found = beginnings.trained(session, job)
    if found is None or not _computes_alike(found[0], config):
        return None
    end = found[1]
    taken = _as_own(checkpoints.load(end), config, sizes)
    if taken is None:
        return None
    try:
        row = checkpoints.store(CheckpointReady(taken["epoch"], taken["step"], taken))
    except OSError as error:
        raise WorkBrokeOff(f"the beginning shared with job {end.job_id} cannot be stored: {error.strerror}") from error
    epoch, step = (0, 0) if own is None else (own["epoch"], own["step"])

    def write(session: Session) -> None:
        leases.held(session, lease)
        if session.get(Checkpoint, row.id) is None:  # else the database failed before it confirmed the commit
            beginnings.take_over(session, lease.id, end, epoch=epoch, step=step)
            leases.write(session, lease, faults=0, start_checkpoint_id=None)
            lines = [f"the epochs up to {end.epoch} are shared with job {end.job_id}, which has trained them"]
            events.append(session, lease.id, "log", {"lines": lines})
            checkpoints.record(session, row)

    try:
        retry_transaction(write)
    except beginnings.BeginningGone:
        checkpoints.delete([row.artifact])
        return None
    return row, taken


def _as_own(state: Snapshot | None, config: PretrainConfig, sizes: DataSizes) -> Snapshot | None:
    try:
        return None if state is None else take_over(state, config, sizes)
    except ValueError as error:  # an earlier version may have called other beginnings equal
        log.warning("no beginning is taken over: %s", error)
        return None


def _computes_alike(source: Job, config: PretrainConfig) -> bool:
    """Whether the other job computed as this one does: on such a device, in this precision, and on
    a CPU with as many threads. Else both would differ in the last digits."""
    here, there = Compute.of(config).started(0, 0), source.compute or {}
    alike = (here.device, here.precision) == (there.get("device"), there.get("precision"))
    return alike and (here.device != "cpu" or here.threads == there.get("threads"))
