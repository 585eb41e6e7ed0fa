"""Loading the data of a job."""

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
def load_data(job: Job) -> tuple[ImageDataset | ImagePool, ImagePool | None]: ...
@overload
def load_data(job: Job, needs: Set[str]) -> tuple[ImageDataset | DatasetLabels | ImagePool, ImagePool | None]: ...
def load_data(
    job: Job, needs: Set[str] = EVERYTHING
) -> tuple[ImageDataset | DatasetLabels | ImagePool, ImagePool | None]:
    """The data set that a job trains on, and its pool if it has one.

    A data set without labels is an `ImagePool` too.

    Args:
        job: the job.
        needs: what to open, among "images" (of the data set) and "pool". Without images, only
            labels, class names and parts are loaded, if there are any.

    Raises:
        WorkFailed, WorkBrokeOff: as `whole_folder`.
    """
    dataset, pool = _rows(job)
    # After the session has ended, since reading gigabytes takes a while.
    data: ImageDataset | DatasetLabels | ImagePool
    if "images" in needs or not dataset.labels:
        data = open_data(dataset)
    else:
        data = DatasetLabels.load(whole_folder(dataset, without={IMAGES}))
    return data, None if pool is None or "pool" not in needs else ImagePool.load(whole_folder(pool))


def load_evaluated(job: Job) -> ImageDataset | None:
    """The data set that the job names for its evaluations; None if it names none.

    Raises:
        WorkFailed, WorkBrokeOff: as `whole_folder`.
    """
    if job.evaluation_dataset_id is None:
        return None
    with reading() as session:
        dataset = session.get_one(Dataset, job.evaluation_dataset_id)
    return ImageDataset.load(whole_folder(dataset))


def reload_data(job: Job) -> tuple[ImageDataset | ImagePool, ImagePool | None]:
    """The data of a job, for its other processes: its trainer has just checked the files."""
    dataset, pool = _rows(job)
    folder_of = get_artifacts().local_path
    images = _open(dataset, folder_of(dataset.artifact))
    return images, None if pool is None else ImagePool.load(folder_of(pool.artifact))


def whole_folder(row: Registered, without: Set[str] = frozenset()) -> Path:
    """The folder of registered data, after comparing its files with what was written.

    This worker reads each file to its end once, and again only after it has changed.

    Args:
        row: the data set or pool.
        without: names of files that are not checked.

    Raises:
        WorkFailed: when a file is damaged.
        WorkBrokeOff: when a file is missing. The disk may just not be mounted.
    """
    files = {name: Stored(**written) for name, written in (row.files or {}).items() if name not in without}
    try:
        return get_artifacts().whole_folder(row.artifact, files)
    except ArtifactDamaged as error:
        damaged = "is not what was registered: it is damaged. Restore it from a backup, or register the data again"
        raise WorkFailed(f"a file of '{row.name}' ({error}) {damaged}") from error
    except FileNotFoundError as error:
        missing = str(error).removeprefix(row.artifact).removeprefix("/")
        what = f"the file '{missing}' of '{row.name}' is" if missing else f"the files of '{row.name}' are"
        raise WorkBrokeOff(f"{what} not in the artifact store") from error


def open_data(dataset: Dataset) -> ImageDataset | ImagePool:
    """A registered data set; a pool if it has no labels.

    Raises:
        WorkFailed, WorkBrokeOff: as `whole_folder`.
    """
    return _open(dataset, whole_folder(dataset))


def _open(dataset: Dataset, folder: Path) -> ImageDataset | ImagePool:
    return ImageDataset.load(folder) if dataset.labels else ImagePool.load(folder)


def _rows(job: Job) -> tuple[Dataset, OodPool | None]:
    with reading() as session:
        dataset = session.get_one(Dataset, job.dataset_id)
        pool = None if job.ood_pool_id is None else session.get_one(OodPool, job.ood_pool_id)
    return dataset, pool
