"""The data of a job, as its processes read them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from colt_core.data.dataset import ImageDataset, ImagePool
from store.artifacts import get_artifacts
from store.models import Dataset, Job, OodPool


def load_data(session: Session, job: Job) -> tuple[ImageDataset, ImagePool | None]:
    """What a job trains on: its data set, and its pool where it has one."""
    artifacts = get_artifacts()
    dataset = ImageDataset.load(artifacts.local_path(session.get_one(Dataset, job.dataset_id).artifact))
    if job.ood_pool_id is None:
        return dataset, None
    return dataset, ImagePool.load(artifacts.local_path(session.get_one(OodPool, job.ood_pool_id).artifact))
