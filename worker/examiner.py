"""The program of work on one checkpoint, or on a backbone."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy.orm import Session

from colt_core.analyses.kinds import AnalysisResult, AnalysisSettings
from colt_core.data.dataset import ImageDataset, ImagePool
from colt_core.data.findings import LEAKS
from colt_core.exporting.kinds import ExportSettings, FeaturesExportConfig
from colt_core.exporting.subject import ExportedImages
from colt_core.pools.kinds import PoolCheckResult, PoolCheckSettings
from colt_core.probes.kinds import ProbeSettings
from colt_core.snapshot import Snapshot
from store import leases
from store.artifacts import get_artifacts
from store.database import reading
from store.disks import check_room
from store.leases import Lease
from store.models import (
    Analysis,
    Checkpoint,
    CheckpointWork,
    Dataset,
    Evaluation,
    Export,
    Job,
    OodPool,
    PoolCheck,
    RegisteredImages,
)
from store.repositories import checkpoint_work
from store.statuses import WorkStatus
from worker import backbones, outcome
from worker.checkpoints import CheckpointFolder
from worker.child import Interrupt, WorkFailed
from worker.handover import SCRATCH
from worker.job_data import load_data, open_data, whole_folder
from worker.patience import retry_transaction

if TYPE_CHECKING:
    from colt_core.models import Backbone

Columns = dict[str, Any]  # of the row, by name


def examine(lease: Lease, _interrupt: Interrupt) -> None:
    """Do what the row asks, and write the result to the row.

    Raises:
        WorkFailed: when the checkpoint or backbone is missing, or the data are damaged or
            unsuitable.
        WorkBrokeOff: when the data are missing.
        LeaseLost: when the row was deleted, or another worker has it.
        StopRequested: after SIGTERM.
    """
    with reading() as session:
        row = session.get_one(lease.model, lease.id)
    assert isinstance(row, CheckpointWork)
    record(lease, _of_backbone(row) if row.checkpoint_id is None else _of_checkpoint(row))


def record(lease: Lease, columns: Columns) -> None:
    """Write the result to the row, which has then succeeded.

    Raises:
        LeaseLost: as `examine`.
    """

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


def _of_checkpoint(row: CheckpointWork) -> Columns:
    with reading() as session:
        job = session.get_one(Job, row.job_id)
    return ANSWERS[type(row)](row, state_of(row), job)


def state_of(row: CheckpointWork) -> Snapshot:
    """The state of the checkpoint that a row is about.

    Raises:
        WorkFailed: when its file is missing or damaged.
    """
    with reading() as session:
        checkpoint = session.get_one(Checkpoint, row.checkpoint_id)
    state = CheckpointFolder(get_artifacts(), checkpoint.job_id).load(checkpoint)
    if state is None:
        raise WorkFailed(f"the checkpoint of epoch {checkpoint.epoch} is missing or damaged; choose another one")
    return state


def _of_backbone(row: CheckpointWork) -> Columns:
    """Do with a registered backbone what is done with that of a checkpoint."""
    if isinstance(row, PoolCheck):
        return _checked_with_backbone(row, _backbone(row.backbone_id), _dataset(row.dataset_id)[1])
    if isinstance(row, Analysis):
        return _analysis_of_backbone(row, _backbone(row.backbone_id))
    assert isinstance(row, Evaluation)
    dataset, images = _dataset(row.dataset_id)
    columns = _evaluated(_backbone(row.backbone_id), images, ProbeSettings.from_stored(row.config))
    return columns | {"warnings": _leaks(dataset.warnings) + columns["warnings"]}


def _backbone(backbone_id: str | None) -> Backbone:
    from colt_core.training.device import Compute

    assert backbone_id is not None
    backbone = backbones.load(backbone_id)
    Compute.choose().module(backbone)
    return backbone


def _dataset(dataset_id: str | None) -> tuple[Dataset, ImageDataset]:
    with reading() as session:
        dataset = session.get_one(Dataset, dataset_id)
    return dataset, ImageDataset.load(whole_folder(dataset))


def probe(state: Snapshot, dataset: ImageDataset, config: ProbeSettings, job: Job) -> Columns:
    """Evaluate the backbone in `state`. A job's trainer uses this too.

    The warnings of the job that put its accuracies in doubt are warnings of the evaluation too.

    Raises:
        WorkFailed: when the data set is too small for the probe.
    """
    from colt_core.training.checkpoint import load_backbone
    from colt_core.training.device import Compute

    backbone, pretrained = load_backbone(state)
    Compute.of(pretrained).module(backbone)
    settings = {"flip_probability": pretrained.flip_probability, "precision": pretrained.precision}
    columns = _evaluated(backbone, dataset, config, **settings)
    return columns | {"warnings": _leaks(job.warnings) + columns["warnings"]}


def _evaluated(backbone: Backbone, dataset: ImageDataset, config: ProbeSettings, **settings: Any) -> Columns:
    from colt_core.probes.evaluate import evaluate

    try:
        return _columns(asdict(evaluate(backbone, dataset, config, **settings)))
    except ValueError as error:
        raise WorkFailed(f"evaluation '{config.kind}': {error}") from error


def _leaks(warnings: list[Any] | None) -> list[Any]:
    return [warning for warning in warnings or [] if warning["code"] in LEAKS]


def _evaluation(row: CheckpointWork, state: Snapshot, job: Job) -> Columns:
    with reading() as session:
        dataset = session.get_one(Dataset, job.evaluated_on)
    return probe(state, ImageDataset.load(whole_folder(dataset)), ProbeSettings.from_stored(row.config), job)


def _analysis(row: CheckpointWork, state: Snapshot, job: Job) -> Columns:
    from colt_core.analyses.run import analyze

    wanted = AnalysisSettings.from_stored(row.config)
    dataset, pool = load_data(job, wanted.needs)
    return _analysed(wanted, lambda: analyze(wanted, state, dataset, pool))


def _analysis_of_backbone(row: Analysis, backbone: Backbone) -> Columns:
    from colt_core.analyses.run import analyze_backbone

    wanted = AnalysisSettings.from_stored(row.config)
    with reading() as session:
        dataset = session.get_one(Dataset, row.dataset_id)
    images = open_data(dataset)
    return _analysed(wanted, lambda: analyze_backbone(wanted, backbone, images, row.assumed))


def _analysed(wanted: AnalysisSettings, analyze: Callable[[], AnalysisResult]) -> Columns:
    try:
        return {"result": analyze().model_dump(mode="json")}
    except ValueError as error:
        raise WorkFailed(f"analysis '{wanted.kind}': {error}") from error


def _pool_check(row: CheckpointWork, state: Snapshot, job: Job) -> Columns:
    from colt_core.pools.check import check_pool

    assert isinstance(row, PoolCheck)
    with reading() as session:
        dataset, pool = session.get_one(Dataset, row.dataset_id), session.get_one(OodPool, row.ood_pool_id)
    images, offered = ImageDataset.load(whole_folder(dataset)), ImagePool.load(whole_folder(pool))
    settings = PoolCheckSettings.from_stored(row.config)
    trained_on_it = dataset.id == job.dataset_id
    return _check_result(lambda: check_pool(settings, state, images, offered, trained_on_it=trained_on_it))


def _checked_with_backbone(row: PoolCheck, backbone: Backbone, images: ImageDataset) -> Columns:
    from colt_core.pools.check import check_pool_with_backbone

    with reading() as session:
        pool = session.get_one(OodPool, row.ood_pool_id)
    offered, settings = ImagePool.load(whole_folder(pool)), PoolCheckSettings.from_stored(row.config)
    return _check_result(lambda: check_pool_with_backbone(settings, backbone, images, offered))


def _check_result(check: Callable[[], PoolCheckResult]) -> Columns:
    try:
        return {"result": check().model_dump(mode="json")}
    except ValueError as error:
        raise WorkFailed(f"pool check: {error}") from error


def _export(row: CheckpointWork, state: Snapshot, job: Job) -> Columns:
    assert isinstance(row, Export)
    assert row.lease_token is not None
    settings = ExportSettings.from_stored(row.config)
    data, images = None, None
    if isinstance(settings, FeaturesExportConfig):
        data, images = _part(job, settings.split)
    with reading() as session:
        trained_on = session.get_one(Dataset, job.dataset_id)
    about = {"job_id": job.id, "checkpoint_id": row.checkpoint_id, "trained_on_sha256": trained_on.fingerprint}
    about |= {"images_sha256": data.fingerprint} if data else {}
    path = Path(os.environ[SCRATCH]) / f"{settings.kind}.{settings.ending}"
    check_room(path.parent, 0)
    known = {name: value for name, value in about.items() if value is not None}
    try:
        result = settings.load()(settings, state, images, known, path)
    except ImportError as error:
        raise WorkFailed(f"export '{settings.kind}': this worker lacks the Python package '{error.name}'") from error
    except ValueError as error:
        raise WorkFailed(f"export '{settings.kind}': {error}") from error
    key = f"{row.folder_of(row.lease_token)}/{path.name}"
    stored = get_artifacts().take_file(path, key)
    return {"artifact": key, **asdict(stored), "result": result.model_dump(mode="json")}


def _part(job: Job, split: str) -> tuple[RegisteredImages, ExportedImages]:
    """Registered images of a job, and the part of them that is meant."""
    with reading() as session:
        data: RegisteredImages
        if split == "pool":
            data = session.get_one(OodPool, job.ood_pool_id)
        else:
            data = session.get_one(Dataset, job.dataset_id if split == "train" else job.evaluated_on)
    folder = whole_folder(data)
    if isinstance(data, OodPool) or (isinstance(data, Dataset) and not data.labels):
        images = ImagePool.load(folder).images
        return data, ExportedImages(images, np.arange(len(images), dtype=np.int64))
    dataset = ImageDataset.load(folder)
    if not dataset.parts[split].size:
        raise WorkFailed(f"'{data.name}' has no images in the part '{split}'")
    return data, ExportedImages(dataset.images, dataset.parts[split], dataset.labels, dataset.class_names)


def _columns(found: dict[str, Any]) -> Columns:
    """A probe's results by column. Results without a column of their own go into `result`."""
    found = {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
    columns = {name: found.pop(name) for name in Evaluation.FOUND if name in found}
    return columns | {"result": found or None}


ANSWERS: dict[type[CheckpointWork], Callable[[CheckpointWork, Snapshot, Job], Columns]] = {
    Export: _export,
    Evaluation: _evaluation,
    Analysis: _analysis,
    PoolCheck: _pool_check,
}
