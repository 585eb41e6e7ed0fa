"""`python -m worker.analyst ANALYSIS_ID`: one analysis of one checkpoint."""

from __future__ import annotations

import sys

from sqlalchemy import select
from sqlalchemy.orm import Session

from colt_core.analyses.kinds import AnalysisSettings
from store import leases
from store.artifacts import get_artifacts
from store.database import reading
from store.leases import Lease
from store.models import Analysis, Checkpoint, Job, utc_now
from store.repositories import events, recording
from worker.checkpoints import CheckpointFolder
from worker.child import Interrupt, WorkFailed, run
from worker.job_data import load_data
from worker.patience import persist


def analyse(lease: Lease, _interrupt: Interrupt) -> None:
    """Make the analysis and fill its row.

    Raises:
        WorkFailed: when the checkpoint is gone, or the analysis cannot be made of the data or they are damaged.
        WorkBrokeOff: when the data are not there.
        LeaseLost: when another worker has the analysis.
        StopRequested: after SIGTERM.
    """
    from colt_core.analyses.run import analyze

    with reading() as session:
        analysis = session.get_one(Analysis, lease.id)
        job = session.get_one(Job, analysis.job_id)
        checkpoint = session.get_one(Checkpoint, analysis.checkpoint_id)
    config = AnalysisSettings.from_stored(analysis.config)
    dataset, pool = load_data(job, config.needs)
    state = CheckpointFolder(get_artifacts(), job.id).load(checkpoint)
    if state is None:
        raise WorkFailed(f"the checkpoint of epoch {checkpoint.epoch} is missing or damaged; analyse another one")
    try:
        result = analyze(config, state, dataset, pool)
    except ValueError as error:
        raise WorkFailed(f"analysis '{config.kind}': {error}") from error

    def write(session: Session) -> None:
        session.execute(select(Job.id).where(Job.id == job.id).with_for_update())  # before its event: see events.append
        leases.finish(
            session, lease, "succeeded", error=None, finished_at=utc_now(), result=result.model_dump(mode="json")
        )
        row = session.get_one(Analysis, lease.id)
        events.append(session, job.id, "analysis", recording.analysis_event(row))

    persist(write)


if __name__ == "__main__":
    sys.exit(run(Analysis, sys.argv[1], analyse))
