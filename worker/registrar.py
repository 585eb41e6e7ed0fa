"""The program of a registration: store the files of a data set or OOD pool."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from colt_core.data import (
    DataError,
    DatasetSource,
    DatasetSpec,
    ImageDataset,
    ImagePool,
    LongTail,
    PoolSource,
    PoolSpec,
    build_dataset,
    build_pool,
    is_list,
)
from colt_core.data.dataset import PARTS, findings
from colt_core.data.groups import class_groups
from colt_core.data.limits import Limits
from colt_core.data.long_tail import read_indices
from store import leases
from store.artifacts import get_artifacts
from store.costs import ACCEPT, large_data
from store.database import reading
from store.disks import check_room
from store.leases import Lease
from store.models import Dataset, OodPool, Registered, Upload
from store.repositories import registrations
from store.settings import get_settings
from store.statuses import RegistrationStatus
from worker.child import Interrupt, WorkFailed
from worker.handover import SCRATCH
from worker.patience import retry_transaction
from worker.sources import open_dataset_source, open_pool_source, uploaded_file

PROGRESS_SECONDS = 1.0
_SMALLER = "choose a smaller image_size"


def register(lease: Lease, _interrupt: Interrupt) -> None:
    """Build the arrays in scratch space, store them, then set the row to `ready`.

    After a failure the supervisor removes the scratch space and the stored files.

    Raises:
        WorkFailed: when the data cannot be used. The message says what to change.
        LeaseLost: when the row was deleted, or another worker has it.
        StopRequested: after SIGTERM.
    """
    with reading() as session:
        assert issubclass(lease.model, Registered)
        row = registrations.asked(session, lease.model, lease.id)
    folder = Path(os.environ[SCRATCH]) / "artifact"
    limits = Limits(max_files=get_settings().max_images, max_entries=get_settings().max_entries)
    build: Callable[..., dict[str, Any]] = _dataset if isinstance(row, Dataset) else _pool
    hooks = _Hooks(_progress(lease), _approval(row.spec, folder))
    try:
        columns = build(row, folder, limits, hooks)
    except DataError as error:
        raise WorkFailed(str(error)) from error
    retry_transaction(
        lambda session: leases.held(session, lease)
    )  # the row may still be deleted after this; the supervisor checks again
    # A folder for this attempt alone: a process that is paused here must not replace the files of a
    # later attempt.
    key = row.folder_of(lease.token)
    written = get_artifacts().take_folder(folder, key)
    columns["stored_as"] = key
    columns["files"] = {name: asdict(stored) for name, stored in written.items()}
    retry_transaction(
        lambda session: leases.finish(session, lease, RegistrationStatus.READY, progress=1.0, problem=None, **columns)
    )


class _Hooks(NamedTuple):
    """What is called while a source is read."""

    progress: Callable[[int, int], None]
    approve: Callable[[int], None]


def _approval(spec: dict[str, Any], folder: Path) -> Callable[[int], None]:
    """A callback that refuses images before they are decoded, by the bytes that they will take.

    It raises DataError if no disk of this size has room for them, or if they are large and the
    request does not accept that. A disk that is full now is an OSError, as everywhere.
    """

    def approve(needed: int) -> None:
        free_at_best = int((1 - get_settings().disk_floor) * shutil.disk_usage(folder.parent).total)
        if needed > free_at_best:
            raise DataError(f"the images take {needed:,} bytes, and the disk has {free_at_best:,}; {_SMALLER}")
        why = large_data(needed, _upload_bytes(spec))
        if why is not None and not spec.get("accept_cost", True):  # earlier versions did not ask
            raise DataError(f"the images take {needed:,} bytes, {why}; {_SMALLER}, {ACCEPT}")
        check_room(folder, needed)

    return approve


def _upload_bytes(spec: dict[str, Any]) -> int | None:
    upload_id = spec["source"].get("upload_id")
    if upload_id is None:
        return None
    with reading() as session:
        upload = session.get(Upload, upload_id)
    return None if upload is None else upload.bytes


def _dataset(row: Dataset, into: Path, limits: Limits, hooks: _Hooks) -> dict[str, Any]:
    spec, request = row.spec, row.request
    source = TypeAdapter[Any](DatasetSource).validate_python(spec["source"])
    if not spec.get("labels", True):
        return _without_labels(spec, source, into, limits, hooks)
    wanted = DatasetSpec.model_validate({name: request[name] for name in DatasetSpec.model_fields if name in request})
    lists = {part: uploaded_file(upload) for part, upload in wanted.lists.by_part().items()} if wanted.lists else {}
    if wanted.long_tail is not None and wanted.long_tail.upload_id is not None:
        kept = uploaded_file(wanted.long_tail.upload_id)
        long_tail = None
        if not is_list(kept):
            long_tail = LongTail(profile="indices", indices=read_indices(kept, limits))
        elif lists.setdefault("train", kept) is not kept:
            raise DataError("the training images are listed twice, in `lists` and in `long_tail`; leave one out")
        wanted = wanted.model_copy(update={"long_tail": long_tail})
    images = open_dataset_source(source, wanted, limits, lists)
    dataset = build_dataset(images, wanted, into=into, limits=limits, progress=hooks.progress, approve=hooks.approve)
    groups = class_groups(dataset.class_counts)
    return {
        **_recorded(spec, dataset),
        "image_size": dataset.image_size,
        "num_samples": len(dataset.images),
        "num_classes": dataset.num_classes,
        "class_names": list(dataset.class_names),
        "class_counts": dataset.class_counts,
        "probe_counts": dataset.counts("probe"),
        "split_sizes": dataset.split_sizes,
        "groups": {name: list(classes) for name, classes in groups.items()},
    }


def _without_labels(spec: dict[str, Any], source: Any, into: Path, limits: Limits, hooks: _Hooks) -> dict[str, Any]:
    """A data set of images alone: stored as a pool, and all of it is the training part."""
    columns = _images(spec, source, into, limits, hooks)
    return columns | {"split_sizes": dict.fromkeys(PARTS, 0) | {"train": columns["num_samples"]}}


def _pool(row: OodPool, into: Path, limits: Limits, hooks: _Hooks) -> dict[str, Any]:
    source = TypeAdapter[Any](PoolSource).validate_python(row.spec["source"])
    return _images(row.spec, source, into, limits, hooks)


def _images(spec: dict[str, Any], source: Any, into: Path, limits: Limits, hooks: _Hooks) -> dict[str, Any]:
    wanted = PoolSpec.model_validate({name: spec[name] for name in PoolSpec.model_fields if name in spec})
    opened = open_pool_source(source, wanted, limits)
    pool = build_pool(opened, wanted, into=into, limits=limits, progress=hooks.progress, approve=hooks.approve)
    return {**_recorded(spec, pool), "image_size": pool.image_size, "num_samples": len(pool)}


def _recorded(spec: dict[str, Any], data: ImageDataset | ImagePool) -> dict[str, Any]:
    """Columns that data sets and pools share."""
    return {**findings(data), "spec": {**spec, "value_range": data.value_range}}


def _progress(lease: Lease) -> Callable[[int, int], None]:
    """A callback that writes the share of images read to the row, about once a second."""
    written = time.monotonic()

    def note(done: int, total: int) -> None:
        nonlocal written
        if time.monotonic() - written < PROGRESS_SECONDS:
            return
        written = time.monotonic()
        retry_transaction(lambda session: leases.write(session, lease, progress=done / total))

    return note
