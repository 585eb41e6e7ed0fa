"""`python -m worker.rank JOB_ID RANK CHECKPOINT_ID|-`: one of the further processes of a job.

It trains together with the job's trainer. Only the trainer records the run.
"""

from __future__ import annotations

import logging
import os
import sys

from colt_core.config import PretrainConfig
from colt_core.data.dataset import training_part
from colt_core.distributed import process_group
from colt_core.training.divergence import TrainingDiverged
from colt_core.training.pretrain import pretrain
from store import logs
from store.artifacts import get_artifacts
from store.database import reading
from store.models import Checkpoint, Job
from worker.checkpoints import CheckpointFolder
from worker.child import DETERMINISTIC, die_with_parent
from worker.handover import PARENT
from worker.job_data import reload_data
from worker.ranks import launch

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
    with reading() as session:
        job = session.get_one(Job, job_id)
        row = session.get_one(Checkpoint, checkpoint_id) if checkpoint_id else None
    dataset, pool = reload_data(job)
    config = PretrainConfig.from_stored(job.config)
    images, _ = training_part(dataset)
    pool_images = None if pool is None else pool.images
    checkpoints = CheckpointFolder(get_artifacts(), job_id)
    state = None if row is None else checkpoints.reload(row)
    start = checkpoints.start(job) if row is None else None
    with process_group(config, launch(rank, config.num_processes)):
        try:
            for _ in pretrain(config, images, pool_images, resume_from=state, start_from=start):
                pass
        except (TrainingDiverged, *DETERMINISTIC):
            log.exception("the run cannot continue")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), None if sys.argv[3] == "-" else sys.argv[3]))
