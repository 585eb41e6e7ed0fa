"""The program of a job: train from its last checkpoint, then evaluate."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from sqlalchemy.orm import Session

from colt_core.config import PretrainConfig
from colt_core.data.dataset import ImageDataset, ImagePool, training_part
from colt_core.data.groups import GroupThresholds
from colt_core.data.warnings import DataWarning
from colt_core.models import Backbone
from colt_core.probes.kinds import ProbeSettings
from colt_core.snapshot import Snapshot
from colt_core.training.divergence import TrainingDiverged
from colt_core.training.inputs import checked_data
from colt_core.training.missing import DeviceMissing
from store import leases
from store.artifacts import get_artifacts
from store.database import reading
from store.leases import Lease
from store.models import Checkpoint, Dataset, Evaluation, Job, new_id, utc_now
from store.repositories import attempts, checkpoint_work, profile, recording
from store.statuses import WorkStatus
from worker import child, outcome
from worker.beginnings import steps_to_share, taken_over
from worker.checkpoints import CheckpointFolder
from worker.child import Interrupt, WorkBrokeOff, WorkFailed
from worker.examiner import probe
from worker.handover import FIRST_RANK, PARENT, SCRATCH, THREADS, TOKEN
from worker.job_data import load_data, load_evaluated
from worker.measuring import measure_once
from worker.patience import retry_transaction
from worker.rank import follow
from worker.ranks import joined_ranks
from worker.recorder import Recorder


def main(job_id: str) -> int:
    """One rank of a job over several machines. torchrun starts it.

    Returns:
        The exit code. Not 0 ends the agent, and so the seat.
    """
    child.die_with_parent()
    if os.getppid() != int(os.environ[PARENT]):
        return 1
    scratch = Path(os.environ[SCRATCH])
    rank = int(os.environ["RANK"])
    (scratch / f"began-{rank}").touch()
    if rank > 0:
        return follow(job_id)
    (scratch / FIRST_RANK).write_text(str(os.getpid()))
    return child.run(Lease(Job, job_id, os.environ[TOKEN]), train)


def train(lease: Lease, interrupt: Interrupt) -> None:
    """Train the job to its end, run its evaluations and mark it as succeeded.

    Raises:
        WorkFailed: when the training diverges, a probe cannot run on the data, or the checkpoint or
            backbone to begin with is gone.
        WorkBrokeOff: when a checkpoint cannot be stored, or was damaged before it was evaluated, or
            the GPU is gone.
        LeaseLost: when another worker has the job.
        StopRequested: after SIGTERM. During training, a checkpoint is written first.
    """
    from colt_core.training.pretrain import pretrain

    if (threads := os.environ.get(THREADS)) is not None:
        torch.set_num_threads(int(threads))
    with reading() as session:
        job = session.get_one(Job, lease.id)
        trained_on = session.get_one(Dataset, job.dataset_id).fingerprint
    dataset, pool = load_data(job)
    evaluated = load_evaluated(job)  # now, since a run of weeks must not end with a file that cannot be read
    config = PretrainConfig.from_stored(job.config)
    images, labels = training_part(dataset)
    num_classes = dataset.num_classes if isinstance(dataset, ImageDataset) else 0
    checkpoints = CheckpointFolder(get_artifacts(), job.id, trained_on)
    pool_images = None if pool is None else pool.images
    row, state = checkpoints.last() or (None, None)
    sizes = checked_data(config, images, pool_images).sizes
    row, state = taken_over(lease, job, config, sizes, checkpoints, state) or (row, state)
    start = checkpoints.start(job) if row is None else None
    measure_once(config, images.shape[-1])
    shared = steps_to_share(job, config, len(images))
    recorder = _begin(lease, job, config, labels, num_classes, checkpoints, row, state, shared, interrupt)
    if start is not None:
        recorder.say(_begins_with(job, config, start))
    with interrupt.deferred(), joined_ranks(config, job.id, None if row is None else row.id):
        try:
            for event in pretrain(
                config,
                images,
                pool_images,
                resume_from=state,
                start_from=start,
                should_stop=lambda: interrupt.requested,
            ):
                recorder.record(event)
        except DeviceMissing as error:  # it was there when the worker started
            raise WorkBrokeOff(str(error)) from error
        except TrainingDiverged as error:
            recorder.warn(DataWarning("diverged", f"An attempt ended at numbers that cannot be: {error}.", 1))
            raise WorkFailed(f"{error}. {_last_good(job.id, error.loss_rose)}") from error
    _evaluate(lease, job, evaluated or dataset, checkpoints, recorder)
    retry_transaction(lambda session: outcome.succeeded(session, lease))


def _begin(
    lease: Lease,
    job: Job,
    config: PretrainConfig,
    labels: np.ndarray | None,
    num_classes: int,
    checkpoints: CheckpointFolder,
    row: Checkpoint | None,
    state: Snapshot | None,
    beginning_steps: int | None,
    interrupt: Interrupt,
) -> Recorder:
    """Drop what an earlier attempt recorded after the checkpoint that this one resumes from."""
    epoch, step = (row.epoch, row.step) if row else (0, 0)
    rounds = state["rounds"] if state else 0

    def forget(session: Session) -> None:
        leases.write(session, lease, epoch=epoch, step=step)
        attempts.goes_on_from(session, job.id, epoch, step)
        recording.discard_after(session, job.id, epoch=epoch, step=step, rounds=rounds)

    retry_transaction(forget)
    recorder = Recorder(
        lease,
        config,
        labels,
        num_classes,
        checkpoints,
        epoch=epoch,
        previous=state["selected"].numpy() if state else np.empty(0, dtype=np.int64),
        beginning_steps=beginning_steps,
        stopping=lambda: interrupt.requested,
    )
    for lost in checkpoints.damaged:
        recorder.say(f"the checkpoint of epoch {lost.epoch}, step {lost.step} is missing or damaged: it is not used")
    recorder.say(f"attempt {job.attempts} resumes from epoch {epoch}, step {step}" if row else "training begins")
    return recorder


def _begins_with(job: Job, config: PretrainConfig, start: Snapshot | Backbone) -> str:
    assert job.start_from is not None
    if isinstance(start, Backbone):
        return f"with the weights of the backbone '{job.start_from['name']}'; those of the projection head are random"
    whose = f"of epoch {job.start_from['epoch']} of job {job.start_from['job_id']}"
    same_head = start["config"]["projection_dim"] == config.projection_dim
    head = (
        "and projection head" if same_head else "alone: the projection head has another size, so its weights are random"
    )
    return f"with the weights {whose}: backbone {head}"


def _last_good(job_id: str, loss_rose: bool) -> str:
    """Advice after a divergence. One of the settings' making comes again in a resumed run."""
    with reading() as session:
        rows = recording.checkpoints(session, job_id)
    if not rows:
        return "There is no earlier checkpoint; change the setting in a new job"
    last = f"The last good checkpoint is of epoch {rows[0].epoch}, step {rows[0].step}."
    if not loss_rose:
        return f"{last} Resuming from there repeats the computation, so rather change the setting in a new job"
    return f"{last} A run resumed from there would diverge again, so change the setting in a new job"


def _evaluate(
    lease: Lease, job: Job, dataset: ImageDataset | ImagePool, checkpoints: CheckpointFolder, recorder: Recorder
) -> None:
    found = checkpoints.last()
    if found is None or found[0].epoch < job.epochs:
        raise WorkBrokeOff("the last checkpoint is missing or damaged, so the epochs before it must be trained again")
    checkpoint, state = found
    with reading() as session:
        done = recording.finished_probes(session, checkpoint.id)
        seconds = profile.spent(session, job.id).evaluation or 0.0  # of an earlier attempt
    thresholds = PretrainConfig.from_stored(job.config).group_thresholds
    missing = outstanding(job.evaluations, thresholds, done)
    if len(missing) < len(job.evaluations):
        show_existing(lease, job, checkpoint, thresholds)
    if isinstance(dataset, ImagePool):
        assert not missing, "a job without labels to evaluate with has no evaluations"
        return
    for config in missing:
        recorder.say(f"evaluation: {config.kind}")
        recorder.flush()
        began, created_at = perf_counter(), utc_now()
        columns = {"created_at": created_at, **probe(state, dataset, config, job)}
        seconds += perf_counter() - began
        _record_evaluation(lease, job, checkpoint, config, columns, seconds)


def show_existing(lease: Lease, job: Job, checkpoint: Checkpoint, thresholds: GroupThresholds | None) -> None:
    """Let the job show the accuracy of its first evaluation, if that has a result already.

    A client may have requested the same probe of the last checkpoint before the job came to it.
    """
    first = ProbeSettings(kind=job.evaluations[0], group_thresholds=thresholds)

    def write(session: Session) -> None:
        row = checkpoint_work.same(session, Evaluation, checkpoint.id, first)
        if row is not None and row.status == WorkStatus.SUCCEEDED:
            leases.write(session, lease, **Evaluation.shown(row.told()))

    retry_transaction(write)


def outstanding(
    kinds: Iterable[str], thresholds: GroupThresholds | None, done: Iterable[dict[str, Any]]
) -> list[ProbeSettings]:
    """The probes that a job requests and that have no result for its last checkpoint.

    Args:
        kinds: the job's evaluations.
        thresholds: how the job groups classes.
        done: settings of the existing results, as any version stored them.
    """
    wanted = [ProbeSettings(kind=kind, group_thresholds=thresholds) for kind in kinds]
    rows = list(done)
    return [settings for settings in wanted if not any(settings.is_stored_as(row) for row in rows)]


def _record_evaluation(
    lease: Lease,
    job: Job,
    checkpoint: Checkpoint,
    config: ProbeSettings,
    columns: dict[str, Any],
    seconds: float,
) -> None:
    """Write a result, and the total seconds of the job's evaluations so far."""
    row_id = new_id()

    def write(session: Session) -> None:
        leases.held(session, lease)
        if session.get(Evaluation, row_id) is not None:  # as in `Recorder.flush`
            return
        first = config.kind == job.evaluations[0]
        shown = Evaluation.shown(columns) if first else {}
        leases.write(session, lease, faults=0, **shown)
        row = Evaluation(
            id=row_id,
            job_id=lease.id,
            checkpoint_id=checkpoint.id,
            epoch=checkpoint.epoch,
            kind=config.kind,
            config=config.model_dump(mode="json"),
            status=WorkStatus.SUCCEEDED,
            finished_at=utc_now(),
            **columns,
        )
        session.add(row)
        session.merge(profile.evaluation_point(lease.id, checkpoint.step, seconds))
        checkpoint_work.tell(session, row)

    retry_transaction(write)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
