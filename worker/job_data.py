"""The data of a job, as its processes read them."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import overload

from colt_core.data.dataset import IMAGES, DatasetLabels, ImageDataset, ImagePool
from store.artifacts import ArtifactDamaged, Stored, get_artifacts
from store.database import reading
from store.models import Dataset, Job, OodPool, Registered
from worker.child import WorkBrokeOff, WorkFailed

EVERYTHING = frozenset({"images", "pool"})


@overload
def load_data(job: Job) -> tuple[ImageDataset, ImagePool | None]: ...
@overload
def load_data(job: Job, needs: Set[str]) -> tuple[ImageDataset | DatasetLabels, ImagePool | None]: ...
def load_data(job: Job, needs: Set[str] = EVERYTHING) -> tuple[ImageDataset | DatasetLabels, ImagePool | None]:
    """The data set that a job trains on, and its pool where it has one.

    Args:
        needs: of "images" (those of the data set) and "pool". What is not needed is not opened:
            without images there are labels, class names and parts.

    Raises:
        WorkFailed, WorkBrokeOff: as `whole_folder`.
    """
    dataset, pool = _rows(job)
    # Behind the session: reading gigabytes takes a while.
    labelled: ImageDataset | DatasetLabels
    if "images" in needs:
        labelled = ImageDataset.load(whole_folder(dataset))
    else:
        labelled = DatasetLabels.load(whole_folder(dataset, without={IMAGES}))
    return labelled, None if pool is None or "pool" not in needs else ImagePool.load(whole_folder(pool))


def reload_data(job: Job) -> tuple[ImageDataset, ImagePool | None]:
    """The same, in a further process of the job: its trainer has just compared all files with what
    was written."""
    dataset, pool = _rows(job)
    folder_of = get_artifacts().local_path
    images = ImageDataset.load(folder_of(dataset.artifact))
    return images, None if pool is None else ImagePool.load(folder_of(pool.artifact))


def whole_folder(row: Registered, without: Set[str] = frozenset()) -> Path:
    """The files of registered data, which are what was written; those in `without` are not looked
    at.

    Each was read to its end by this worker since it started, or since the file last changed.

    Raises:
        WorkFailed: when they are damaged.
        WorkBrokeOff: when they are not there, which a disk that is not mounted explains as well.
    """
    files = {name: Stored(**written) for name, written in (row.files or {}).items() if name not in without}
    try:
        return get_artifacts().whole_folder(row.artifact, files)
    except ArtifactDamaged as error:
        damaged = "is not what was registered: it is damaged. Restore it from a backup, or register the data anew"
        raise WorkFailed(f"a file of '{row.name}' ({error}) {damaged}") from error
    except FileNotFoundError as error:
        missing = str(error).removeprefix(row.artifact).removeprefix("/")
        what = f"the file '{missing}' of '{row.name}' is" if missing else f"the files of '{row.name}' are"
        raise WorkBrokeOff(f"{what} not in the artifact store") from error


def _rows(job: Job) -> tuple[Dataset, OodPool | None]:
    with reading() as session:
        dataset = session.get_one(Dataset, job.dataset_id)
        pool = None if job.ood_pool_id is None else session.get_one(OodPool, job.ood_pool_id)
    return dataset, pool
