"""The program of work on one checkpoint: an evaluation, an analysis or a pool check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from colt_core.analyses.kinds import AnalysisSettings
from colt_core.data.dataset import ImageDataset, ImagePool
from colt_core.data.findings import LEAKS
from colt_core.pools.kinds import PoolCheckSettings
from colt_core.probes.kinds import ProbeSettings
from colt_core.snapshot import Snapshot
from store import leases
from store.artifacts import get_artifacts
from store.database import reading
from store.leases import Lease
from store.models import Analysis, Checkpoint, CheckpointWork, Dataset, Evaluation, Job, OodPool, PoolCheck
from store.repositories import checkpoint_work
from store.statuses import WorkStatus
from worker import outcome
from worker.checkpoints import CheckpointFolder
from worker.child import Interrupt, WorkFailed
from worker.job_data import load_data, whole_folder
from worker.patience import retry_transaction

Columns = dict[str, Any]  # of the row, by name


def examine(lease: Lease, _interrupt: Interrupt) -> None:
    """Do what the row asks of the checkpoint, and write the result to the row.

    Raises:
        WorkFailed: when the checkpoint is missing, or the data are damaged or unsuitable.
        WorkBrokeOff: when the data are missing.
        LeaseLost: when the row was deleted, or another worker has it.
        StopRequested: after SIGTERM.
    """
    with reading() as session:
        row = session.get_one(lease.model, lease.id)
        assert isinstance(row, CheckpointWork)
        job = session.get_one(Job, row.job_id)
        checkpoint = session.get_one(Checkpoint, row.checkpoint_id)
    state = CheckpointFolder(get_artifacts(), job.id).load(checkpoint)
    if state is None:
        raise WorkFailed(f"the checkpoint of epoch {checkpoint.epoch} is missing or damaged; choose another one")
    columns = ANSWERS[type(row)](row, state, job)

    def write(session: Session) -> None:
        row = leases.held(session, lease)
        if row.status == WorkStatus.CANCELLING:  # the client already sees that it is cancelled
            outcome.interrupted(session, lease)
            return
        for name, value in columns.items():
            setattr(row, name, value)
        outcome.succeeded(session, lease)
        if isinstance(row, Evaluation):
            checkpoint_work.show_first(session, row)

    retry_transaction(write)


def probe(state: Snapshot, dataset: ImageDataset, config: ProbeSettings, job: Job) -> Columns:
    """Evaluate the backbone in `state`. A job's trainer uses this too.

    The warnings of the job that put its accuracies in doubt are warnings of the evaluation too.

    Raises:
        WorkFailed: when the data set is too small for the probe.
    """
    from colt_core.probes.evaluate import evaluate
    from colt_core.training.checkpoint import load_backbone
    from colt_core.training.device import Compute

    backbone, pretrained = load_backbone(state)
    Compute.of(pretrained).module(backbone)
    try:
        result = evaluate(
            backbone,
            dataset,
            config,
            flip_probability=pretrained.flip_probability,
            precision=pretrained.precision,
        )
    except ValueError as error:
        raise WorkFailed(f"evaluation '{config.kind}': {error}") from error
    columns = _columns(asdict(result))
    leaks = [warning for warning in job.warnings or [] if warning["code"] in LEAKS]
    return columns | {"warnings": leaks + columns["warnings"]}


def _evaluation(row: CheckpointWork, state: Snapshot, job: Job) -> Columns:
    with reading() as session:
        dataset = session.get_one(Dataset, job.evaluated_on)
    return probe(state, ImageDataset.load(whole_folder(dataset)), ProbeSettings.from_stored(row.config), job)


def _analysis(row: CheckpointWork, state: Snapshot, job: Job) -> Columns:
    from colt_core.analyses.run import analyze

    wanted = AnalysisSettings.from_stored(row.config)
    dataset, pool = load_data(job, wanted.needs)
    try:
        result = analyze(wanted, state, dataset, pool)
    except ValueError as error:
        raise WorkFailed(f"analysis '{wanted.kind}': {error}") from error
    return {"result": result.model_dump(mode="json")}


def _pool_check(row: CheckpointWork, state: Snapshot, job: Job) -> Columns:
    from colt_core.pools.check import check_pool

    assert isinstance(row, PoolCheck)
    with reading() as session:
        dataset, pool = session.get_one(Dataset, row.dataset_id), session.get_one(OodPool, row.ood_pool_id)
    images, offered = ImageDataset.load(whole_folder(dataset)), ImagePool.load(whole_folder(pool))
    settings = PoolCheckSettings.from_stored(row.config)
    try:
        result = check_pool(settings, state, images, offered, trained_on_it=dataset.id == job.dataset_id)
    except ValueError as error:
        raise WorkFailed(f"pool check: {error}") from error
    return {"result": result.model_dump(mode="json")}


def _columns(found: dict[str, Any]) -> Columns:
    """A probe's results by column. Results without a column of their own go into `result`."""
    found = {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
    columns = {name: found.pop(name) for name in Evaluation.FOUND if name in found}
    return columns | {"result": found or None}


ANSWERS: dict[type[CheckpointWork], Callable[[CheckpointWork, Snapshot, Job], Columns]] = {
    Evaluation: _evaluation,
    Analysis: _analysis,
    PoolCheck: _pool_check,
}
