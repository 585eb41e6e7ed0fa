"""The training images nearest to an OOD image that a sampling round picked."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api.http.errors import NotFound
from api.tailness import ood_samples
from api.tailness.id_samples import Classes, dataset_of
from api.tailness.schemas import NearestSample, NearestSamples
from store.repositories import rounds, tailness


def nearest(session: Session, job_id: str, index: int, number: int | None, k: int) -> NearestSamples:
    """At most k training images, nearest first.

    Args:
        session: a session.
        job_id: the job.
        index: the image's index in the pool.
        number: the round; None for the last.
        k: how many.

    Raises:
        NotFound: there is no such job, round or image, the round did not pick the image, or it kept
            no nearest images.
    """
    dataset = dataset_of(session, job_id)
    found = rounds.nearest(session, job_id, number, index)
    if found is None:
        ood_samples.sample(session, job_id, index)  # which knows the image if any round does
        raise NotFound(f"This job has had no sampling round {number}.")
    if found.index is None or found.similarity is None:
        raise NotFound(_not_kept(job_id, index, found.round, found.selected))
    # The tailness after the epoch before, by which the round set its budgets.
    scores = tailness.scores(session, job_id, found.epoch - 1)
    classes = Classes.of(dataset)
    return NearestSamples(
        index=index,
        round=found.round,
        epoch=found.epoch,
        items=[
            NearestSample(
                index=near,
                **classes.shown(near),
                similarity=similarity,
                tailness=None if scores is None else float(scores[near]),
            )
            for near, similarity in zip(found.index[:k].tolist(), found.similarity[:k].tolist(), strict=True)
        ],
    )


def _not_kept(job_id: str, index: int, number: int, selected: bool) -> str:
    scores = f"/api/v1/jobs/{job_id}/ood-tailness"
    kept = "A round keeps the nearest training images of its picks alone"
    listed = f"`GET {scores}?round={number}&selected=true` lists them"
    if not selected:
        others = f"`selected_rounds` of `GET {scores}/{index}` names the rounds that picked this one"
        return f"Round {number} did not pick OOD image {index}. {kept}: {listed}, and {others}."
    why = "it was run by an earlier version, or picked more than a million images"
    return f"Round {number} picked OOD image {index}, but kept no nearest training images: {why}. {kept}: {listed}."
