"""`python -m worker.evaluator EVALUATION_ID`: one probe of one checkpoint, asked for after the job's own."""

from __future__ import annotations

import sys

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from colt_core.data.dataset import ImageDataset
from colt_core.probes.kinds import ProbeSettings
from store import leases
from store.artifacts import get_artifacts
from store.database import reading
from store.leases import Lease
from store.models import Checkpoint, Dataset, Evaluation, Job, utc_now
from store.repositories import events, recording
from worker.checkpoints import CheckpointFolder
from worker.child import Interrupt, WorkFailed, run
from worker.evaluating import probe
from worker.job_data import whole_folder
from worker.patience import persist


def evaluate(lease: Lease, _interrupt: Interrupt) -> None:
    """Run the probe and fill its row.

    Raises:
        WorkFailed: when the checkpoint is gone, or the probe cannot run on the data or they are damaged.
        WorkBrokeOff: when the data are not there.
        LeaseLost: when another worker has the evaluation.
        StopRequested: after SIGTERM.
    """
    with reading() as session:
        evaluation = session.get_one(Evaluation, lease.id)
        job = session.get_one(Job, evaluation.job_id)
        checkpoint = session.get_one(Checkpoint, evaluation.checkpoint_id)
        dataset = session.get_one(Dataset, job.dataset_id)
    state = CheckpointFolder(get_artifacts(), job.id).load(checkpoint)
    if state is None:
        raise WorkFailed(f"the checkpoint of epoch {checkpoint.epoch} is missing or damaged; evaluate another one")
    config = ProbeSettings.from_stored(evaluation.config)
    columns = probe(state, ImageDataset.load(whole_folder(dataset)), config)

    def write(session: Session) -> None:
        # The job's own first probe counts, so that jobs are compared by one kind; this one where there was none.
        shown = func.coalesce(Job.accuracy, columns["accuracy"])
        session.execute(update(Job).where(Job.id == job.id).values(accuracy=shown))
        leases.finish(session, lease, "succeeded", error=None, finished_at=utc_now(), **columns)
        row = session.get_one(Evaluation, lease.id)
        events.append(session, job.id, "evaluation", recording.evaluation_event(row))

    persist(write)


if __name__ == "__main__":
    sys.exit(run(Evaluation, sys.argv[1], evaluate))
