"""Rules of pool checks."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api import registration
from api.checkpoint_work import service as checkpoint_work
from api.http.errors import Conflict, NotFound, Unprocessable
from api.pool_checks.schemas import NewPoolCheck
from colt_core.config import PretrainConfig
from colt_core.pools.kinds import CLUSTERS_OF_BACKBONE, PoolCheckSettings
from store.models import BackboneWeights, Dataset, Job, OodPool, PoolCheck
from store.repositories import checkpoint_work as rows
from store.repositories import checkpoints, registrations, turns


def request(session: Session, pool_id: str, wanted: NewPoolCheck, submitter: str | None = None) -> PoolCheck:
    """Queue a check of a pool, or return an equal one that neither failed nor was cancelled.

    Raises:
        NotFound: there is no such pool.
        Conflict: pool, data set or backbone are not ready, or were deleted in the meantime.
        Unprocessable: the data set, the checkpoint or the backbone does not exist, or they do not
            go together.
        TooManyRequests: the token has too many that wait.
    """
    pool = registration.find_ready(session, OodPool, pool_id)
    dataset = registration.named_ready(session, Dataset, wanted.dataset_id, "/dataset_id")
    try:
        with session.begin_nested():
            if wanted.backbone_id is not None:
                return _of_backbone(session, wanted.backbone_id, pool, dataset, wanted.budget, submitter)
            assert wanted.checkpoint_id is not None  # the schema says so
            return _of_checkpoint(session, wanted.checkpoint_id, pool, dataset, wanted.budget, submitter)
    except IntegrityError as error:
        raise Conflict("The data set, the OOD pool or the backbone was deleted in the meantime.") from error


def _of_checkpoint(
    session: Session, checkpoint_id: str, pool: OodPool, dataset: Dataset, budget: int, submitter: str | None
) -> PoolCheck:
    checkpoint = checkpoints.get(session, checkpoint_id)
    if checkpoint is None:
        listed = "GET /jobs/ID/checkpoints lists those of a job"
        raise Unprocessable(("/checkpoint_id", f"there is no such checkpoint; {listed}"))

    def settle(job: Job, trained_on: Dataset) -> PoolCheckSettings:
        num_clusters = PretrainConfig.from_stored(job.config).num_clusters
        problems = _misfits(num_clusters, "of the checkpoint's job", dataset, pool, budget)
        if trained_on.image_size != dataset.image_size:
            sizes = f"its job trained on images of {trained_on.image_size} px, and these have {dataset.image_size} px"
            problems.append(("/checkpoint_id", f"{sizes}; name a checkpoint for this size"))
        if problems:
            raise Unprocessable(*problems)
        return PoolCheckSettings(budget=budget)

    return checkpoint_work.request(
        session, PoolCheck, checkpoint.job_id, checkpoint.id, settle, submitter, (pool, dataset)
    )


def _of_backbone(
    session: Session, backbone_id: str, pool: OodPool, dataset: Dataset, budget: int, submitter: str | None
) -> PoolCheck:
    turns.lock(session, submitter)
    registrations.lock(session, BackboneWeights, backbone_id)  # so that equal requests come one by one
    registration.named_ready(session, BackboneWeights, backbone_id, "/backbone_id")
    if problems := _misfits(CLUSTERS_OF_BACKBONE, "of a check", dataset, pool, budget):
        raise Unprocessable(*problems)
    settings = PoolCheckSettings(budget=budget)
    named = {"ood_pool_id": pool.id, "dataset_id": dataset.id}
    earlier = rows.same_of_backbone(session, PoolCheck, backbone_id, settings, named)
    if earlier is not None:
        return earlier
    place = checkpoint_work.place_for(session, PoolCheck, (pool, dataset), submitter)
    return rows.add_of_backbone(session, PoolCheck, backbone_id, settings.model_dump(mode="json"), place, named)


def find(session: Session, pool_id: str, check_id: str) -> PoolCheck:
    """A check of this pool.

    Raises:
        NotFound: there is none.
    """
    check = checkpoint_work.find(session, PoolCheck, check_id)
    if check.ood_pool_id != pool_id:
        raise NotFound(f"There is no check {check_id[:64]} of this pool.")
    return check


def _misfits(num_clusters: int, whose: str, dataset: Dataset, pool: OodPool, budget: int) -> list[tuple[str, str]]:
    problems = []
    num_train, num_pool = (dataset.split_sizes or {}).get("train", 0), pool.num_samples or 0
    if not dataset.labels:
        problems.append(("/dataset_id", f"a check is about classes, and the images of '{dataset.name}' have no labels"))
    elif num_train < max(2, num_clusters):
        few = f"'{dataset.name}' has {num_train} training images, fewer than the {num_clusters} clusters"
        problems.append(("/dataset_id", f"{few} {whose}; name a larger one"))
    if pool.image_size != dataset.image_size:
        sizes = f"its images have {dataset.image_size} px, those of the pool {pool.image_size} px"
        problems.append(("/dataset_id", f"{sizes}; register one of them again with the other's image_size"))
    if budget > num_pool:
        problems.append(("/budget", f"{budget:,} is more than the {num_pool:,} images of the pool"))
    return problems
