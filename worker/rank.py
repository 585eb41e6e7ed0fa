"""`python -m worker.rank JOB_ID RANK CHECKPOINT_ID|-`: one of the further processes of a job.

It trains together with the job's trainer. Only the trainer records the run.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from colt_core.config import PretrainConfig
from colt_core.data.dataset import ImageDataset, ImagePool, training_part
from colt_core.distributed import process_group
from colt_core.models import Backbone
from colt_core.snapshot import Snapshot
from colt_core.training.divergence import TrainingDiverged
from colt_core.training.pretrain import pretrain
from store import logs
from store.artifacts import get_artifacts
from store.database import reading
from store.models import Checkpoint, Job
from worker.checkpoints import CheckpointFolder
from worker.child import DETERMINISTIC, WorkBrokeOff, WorkFailed, die_with_parent
from worker.describe import LONGEST, describe, without_paths
from worker.handover import DIGESTS, PARENT, REASON, SCRATCH
from worker.job_data import load_data, reload_data
from worker.ranks import launch, launch_over_hosts, tell_checkpoint

log = logging.getLogger("worker")


def main(job_id: str, rank: int, checkpoint_id: str | None) -> int:
    """Train, without recording anything.

    Returns:
        0, also after an error that ends the run: the trainer gets the same error and reports it.
    """
    die_with_parent()
    if os.getppid() != int(os.environ[PARENT]):
        return 1
    logs.set_up(job_id=job_id, rank=rank)
    job = _job(job_id)
    dataset, pool = reload_data(job)
    config = PretrainConfig.from_stored(job.config)
    checkpoints = CheckpointFolder(get_artifacts(), job_id)
    row = _checkpoint(checkpoint_id)
    state = None if row is None else checkpoints.reload(row)
    start = checkpoints.start(job) if row is None else None
    with process_group(config, launch(rank, config.num_processes)):
        _train(config, dataset, pool, state, start)
    return 0


def follow(job_id: str) -> int:
    """The same on any machine of the job, whose files nobody has checked yet.

    Returns:
        As `main`. After another error 1, and a file in the scratch folder says why.
    """
    own = launch_over_hosts()
    logs.set_up(job_id=job_id, rank=own.rank)
    get_artifacts().remember_digests(Path(os.environ[DIGESTS]))
    try:
        job = _job(job_id)
        dataset, pool = load_data(job)
        config = PretrainConfig.from_stored(job.config)
        checkpoints = CheckpointFolder(get_artifacts(), job_id)
        with process_group(config, own):
            row = _checkpoint(tell_checkpoint(None))
            state = None if row is None else checkpoints.load(row)
            if row is not None and state is None:
                raise WorkBrokeOff(f"the checkpoint of epoch {row.epoch} is missing or damaged on this machine")
            start = checkpoints.start(job) if row is None else None
            _train(config, dataset, pool, state, start)
    except Exception as error:
        log.exception("rank %d failed", own.rank)
        told = str(error) if isinstance(error, WorkBrokeOff | WorkFailed) else describe(error)
        (Path(os.environ[SCRATCH]) / REASON).write_text(f"Rank {own.rank}: {without_paths(told)}"[:LONGEST])
        return 1
    return 0


def _job(job_id: str) -> Job:
    with reading() as session:
        return session.get_one(Job, job_id)


def _checkpoint(checkpoint_id: str | None) -> Checkpoint | None:
    with reading() as session:
        return session.get_one(Checkpoint, checkpoint_id) if checkpoint_id else None


def _train(
    config: PretrainConfig,
    dataset: ImageDataset | ImagePool,
    pool: ImagePool | None,
    state: Snapshot | None,
    start: Snapshot | Backbone | None,
) -> None:
    images, _ = training_part(dataset)
    pool_images = None if pool is None else pool.images
    try:
        for _ in pretrain(config, images, pool_images, resume_from=state, start_from=start):
            pass
    except (TrainingDiverged, *DETERMINISTIC):
        log.exception("the run cannot continue")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), None if sys.argv[3] == "-" else sys.argv[3]))
