"""The program of a backbone's registration, and loading one that is registered.

A file from a user is read in a process of its own, which may use up its memory or crash without
harm to others. None of the file's code is run.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from colt_core.backbones.spec import CheckpointWeights, RandomWeights, WeightsSource
from colt_core.data.errors import DataError
from colt_core.printed import printed
from store import leases
from store.artifacts import get_artifacts
from store.database import reading
from store.disks import check_room
from store.leases import Lease
from store.models import BackboneWeights, Checkpoint, Upload
from store.statuses import RegistrationStatus
from worker.child import Interrupt, WorkFailed
from worker.handover import SCRATCH
from worker.job_data import whole_folder
from worker.patience import retry_transaction
from worker.sources import uploaded_file

if TYPE_CHECKING:
    from colt_core.backbones.fit import Fit
    from colt_core.models import Backbone

WEIGHTS = "weights.safetensors"
_MOST_NAMES, _LONGEST_NAME = 500, 200


def register(lease: Lease, _interrupt: Interrupt) -> None:
    """Read or make the weights, store them as safetensors, then set the row to `ready`.

    Raises:
        WorkFailed: when they cannot be used. The message says what to change.
        LeaseLost: when the row was deleted, or another worker has it.
        StopRequested: after SIGTERM.
    """
    from colt_core.backbones.errors import WeightsRefused  # torch
    from colt_core.backbones.stored import save_weights

    with reading() as session:
        row = session.get_one(BackboneWeights, lease.id)
    try:
        backbone, fitting = _weights(row)
    except (WeightsRefused, DataError) as error:
        raise WorkFailed(str(error)) from error
    columns: dict[str, Any] = {}
    if fitting is not None:
        columns = {"names": _names(fitting), "matched_share": fitting.share}
        if fitting.problem is not None:
            retry_transaction(lambda session: leases.write(session, lease, **columns))
            raise WorkFailed(fitting.problem)
    folder = Path(os.environ[SCRATCH]) / "artifact"
    check_room(folder, sum(value.nbytes for value in backbone.state_dict().values()))
    folder.mkdir()
    save_weights(backbone, folder / WEIGHTS)
    retry_transaction(lambda session: leases.held(session, lease))  # as worker/registrar.py does
    columns["stored_as"] = row.folder_of(lease.token)
    written = get_artifacts().take_folder(folder, columns["stored_as"])
    columns["files"] = {name: asdict(stored) for name, stored in written.items()}
    retry_transaction(
        lambda session: leases.finish(session, lease, RegistrationStatus.READY, progress=1.0, problem=None, **columns)
    )


def load(backbone_id: str) -> Backbone:
    """A registered backbone, frozen, in eval mode on the CPU.

    Raises:
        WorkFailed: when it was deleted, or its file is damaged.
        WorkBrokeOff: when its file is missing.
    """
    from colt_core.backbones.stored import load_weights  # torch

    with reading() as session:
        row = session.get(BackboneWeights, backbone_id)
    if row is None:
        raise WorkFailed("the backbone was deleted: choose another one")
    spec = row.spec
    return load_weights(whole_folder(row) / WEIGHTS, row.architecture, spec["mean"], spec["std"])


def _weights(row: BackboneWeights) -> tuple[Backbone, Fit | None]:
    """The backbone with its weights, and how the names of its file fit, if it has one.

    If they do not fit, the weights are not read.
    """
    from colt_core.backbones.fit import fit, put  # torch
    from colt_core.backbones.stored import random_backbone
    from colt_core.backbones.weights_file import read_weights

    source = TypeAdapter[Any](WeightsSource).validate_python(row.spec["source"])
    match source:
        case RandomWeights():
            return random_backbone(row.architecture, source.seed), None
        case CheckpointWeights():
            return _of_checkpoint(source.checkpoint_id), None
    with reading() as session:
        upload = session.get(Upload, source.upload_id)
    path = uploaded_file(source.upload_id)
    assert upload is not None  # else there is no file
    weights = read_weights(path, upload.filename)
    backbone = random_backbone(row.architecture, seed=0)  # for what the file lacks
    fitting = fit(weights, backbone)
    if fitting.problem is None:
        put(weights, backbone, fitting)
    return backbone, fitting


def _of_checkpoint(checkpoint_id: str) -> Backbone:
    from colt_core.training.checkpoint import load_backbone  # torch
    from worker.checkpoints import CheckpointFolder

    with reading() as session:
        row = session.get(Checkpoint, checkpoint_id)
    state = None if row is None or not row.usable else CheckpointFolder(get_artifacts(), row.job_id).load(row)
    if state is None:
        raise WorkFailed("the checkpoint is gone or damaged: register another one of its job")
    return load_backbone(state)[0]


def _names(fitting: Fit) -> dict[str, Any]:
    """For the row: bounded, and in characters that a database and a terminal can hold."""
    told = [printed(name, _LONGEST_NAME) for name in fitting.unexpected[:_MOST_NAMES]]
    return {
        "prefix": printed(fitting.prefix, _LONGEST_NAME),
        "matched": list(fitting.matched),
        "missing": list(fitting.missing),
        "unexpected": told,
        "num_unexpected": len(fitting.unexpected),
    }
