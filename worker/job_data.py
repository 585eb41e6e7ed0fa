"""The data of a job, as its processes read them."""

from __future__ import annotations

from pathlib import Path

from colt_core.data.dataset import ImageDataset, ImagePool
from store.artifacts import ArtifactDamaged, Stored, get_artifacts
from store.database import reading
from store.models import Dataset, Job, OodPool
from worker.child import WorkBrokeOff, WorkFailed


def load_data(job: Job) -> tuple[ImageDataset, ImagePool | None]:
    """What a job trains on: its data set, and its pool where it has one.

    Raises:
        WorkFailed, WorkBrokeOff: as `whole_folder`.
    """
    with reading() as session:
        dataset = session.get_one(Dataset, job.dataset_id)
        pool = None if job.ood_pool_id is None else session.get_one(OodPool, job.ood_pool_id)
    # Behind the session: reading gigabytes takes a while.
    images = ImageDataset.load(whole_folder(dataset))
    return images, None if pool is None else ImagePool.load(whole_folder(pool))


def whole_folder(row: Dataset | OodPool) -> Path:
    """The files of registered data, each read to its end and compared with what was written.

    Raises:
        WorkFailed: when they are damaged.
        WorkBrokeOff: when they are not there, which a disk that is not mounted explains as well.
    """
    files = {name: Stored(**written) for name, written in (row.files or {}).items()}
    try:
        return get_artifacts().whole_folder(row.artifact, files)
    except ArtifactDamaged as error:
        damaged = "is not what was registered: it is damaged. Restore it from a backup, or register the data anew"
        raise WorkFailed(f"a file of '{row.name}' ({error}) {damaged}") from error
    except FileNotFoundError as error:
        raise WorkBrokeOff(f"the files of '{row.name}' are not in the artifact store") from error
