"""The program that scores unseen images. It keeps the last model for further requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from colt_core.data.dataset import training_part
from colt_core.data.decoding import usable_cores
from colt_core.data.errors import DataError
from colt_core.data.limits import Limits
from colt_core.data.readers import open_unlabelled
from colt_core.data.sources import ImageSource
from colt_core.data.spec import ImageSpec
from colt_core.data.unseen import UnseenImages
from colt_core.events import Int64
from colt_core.training.missing import DeviceMissing
from store.database import reading
from store.leases import Lease
from store.models import Dataset, Job, OodPool, RegisteredImages, Score
from store.settings import get_settings
from worker.child import Interrupt, WorkBrokeOff, WorkFailed
from worker.examiner import record, state_of
from worker.job_data import load_data
from worker.sources import uploaded_file

if TYPE_CHECKING:
    from colt_core.training.scoring import TailnessScorer, UnseenScores

_MOST_UNPACKED = 2 * 2**30  # bytes of an upload, unpacked
_SETTINGS = {"image_size", "fit", "background", "bit_depth", "value_range"}
_LONGEST_NAME, _LONGEST_DETAIL = 400, 1000
_DIGITS = 4  # of cosines to training images

_kept: tuple[str, TailnessScorer, Int64 | None] | None = None  # by the id of its checkpoint


def score(lease: Lease, _interrupt: Interrupt) -> None:
    """Score the images of the upload, and write the scores to the row.

    Raises:
        WorkFailed: when the upload cannot be read, or the checkpoint or the data are missing,
            damaged or unsuitable.
        WorkBrokeOff: when the device or the data are missing.
        LeaseLost: when the row was deleted, or another worker has it.
        StopRequested: after SIGTERM.
    """
    with reading() as session:
        row = session.get_one(Score, lease.id)
        job = session.get_one(Job, row.job_id)
        like: RegisteredImages = session.get_one(Dataset, job.dataset_id)
        if job.ood_pool_id is not None:
            like = session.get_one(OodPool, job.ood_pool_id)
    spec = ImageSpec.model_validate({name: like.spec[name] for name in _SETTINGS & like.spec.keys()})
    assert like.image_size is not None  # it is ready
    try:
        unseen = UnseenImages(_offered(row.upload_id), spec, like.image_size)
        record(lease, _scored(unseen, *_scorer(row, job), row.nearest))
    except DeviceMissing as error:
        raise WorkBrokeOff(str(error)) from error
    except ValueError as error:  # DataError too
        raise WorkFailed(str(error)) from error


def _offered(upload_id: str) -> ImageSource:
    most = get_settings().score_max_images
    limits = Limits(
        max_files=most, max_bytes=_MOST_UNPACKED, max_array_bytes=_MOST_UNPACKED, max_memory_bytes=_MOST_UNPACKED
    )
    images = open_unlabelled(uploaded_file(upload_id), limits=limits).images
    if len(images) > most:
        raise DataError(f"there are {len(images):,} images, and at most {most:,} are scored at once; split them up")
    return images


def _scorer(row: Score, job: Job) -> tuple[TailnessScorer, Int64 | None]:
    """The model that scored last, if it is that of the row, or else a new one in its place.

    Returns:
        It, and the labels of its training images; None without labels.
    """
    global _kept
    if _kept is None or _kept[0] != row.checkpoint_id:
        import torch

        from colt_core.training.scoring import TailnessScorer

        # A training may run beside it. If both took all cores, each would wait for the other.
        torch.set_num_threads(max(1, usable_cores() // 2))
        _kept = None  # its memory is free before another one is loaded
        dataset, _ = load_data(job, {"images"})
        images, labels = training_part(dataset)  # type: ignore[arg-type]
        _kept = row.checkpoint_id, TailnessScorer(state_of(row), images), labels
    return _kept[1:]


def _scored(unseen: UnseenImages, scorer: TailnessScorer, labels: Int64 | None, nearest: int) -> dict[str, Any]:
    from colt_core.training.embed import BATCH_SIZE  # torch

    found: dict[int, dict[str, Any]] = {}
    for positions, images in unseen.batches(BATCH_SIZE):
        scores = scorer.score(images, nearest)
        columns = (scores.tailness, scores.cluster, scores.similarity)
        rows = zip(positions.tolist(), *(column.tolist() for column in columns), _nearest(scores, labels), strict=True)
        for position, tailness, cluster, similarity, near in rows:
            found[position] = {"tailness": tailness, "cluster": cluster, "similarity": similarity, "nearest": near}

    def named(position: int) -> dict[str, Any]:
        return {"index": position, "name": unseen.source.name(position)[:_LONGEST_NAME]}

    return {
        "scores": [named(position) | found[position] for position in sorted(found)],
        "refused": [
            named(position) | {"detail": detail[:_LONGEST_DETAIL]}
            for position, detail in sorted(unseen.refused.items())
        ],
    }


def _nearest(scores: UnseenScores, labels: Int64 | None) -> Iterator[list[dict[str, Any]]]:
    """The nearest training images of each image."""
    for near, similarity, tailness in zip(
        scores.nearest, scores.nearest_similarity, scores.nearest_tailness, strict=True
    ):
        yield [
            {
                "index": int(index),
                "label": None if labels is None else int(labels[index]),
                "similarity": round(float(cosine), _DIGITS),
                "tailness": float(score),
            }
            for index, cosine, score in zip(near, similarity, tailness, strict=True)
        ]
