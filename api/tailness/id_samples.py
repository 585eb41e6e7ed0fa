"""Tailness of the ID training images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.http.errors import Conflict, NotFound, Unprocessable
from api.jobs.service import find
from api.samples.service import labels_of
from api.tailness.ordering import ordered
from api.tailness.schemas import (
    ClassTailness,
    ClassTailnessList,
    IdHistory,
    IdOrder,
    IdSample,
    IdSampleDetail,
    IdSamplePage,
)
from api.tailness.size_fit import size_fit
from store.models import Dataset
from store.repositories import registrations, rounds, tailness
from store.repositories.pages import BadCursor, Slice, decode_cursor, encode_cursor

MOST_EPOCHS = 1000  # of the history of a class or an image


@dataclass(frozen=True, slots=True)
class IdFilter:
    """Filters of a list; None filters nothing. `cluster` is a cluster of `round`, by default of the
    last round."""

    label: int | None = None
    cluster: int | None = None
    round: int | None = None

    @property
    def narrowing(self) -> str:
        """What all pages of a list share, apart from round, epoch and order."""
        return f"{self.label} {self.cluster}"


def page(
    session: Session, job_id: str, wanted: IdFilter, order: IdOrder, limit: int, cursor: str | None
) -> IdSamplePage:
    """Samples by their latest tailness. All pages show the epoch and the round of the first page.

    Raises:
        NotFound: the round was not run.
    """
    dataset = dataset_of(session, job_id)
    _check_label(dataset, wanted.label, order)
    start, number, epoch = 0, wanted.round, tailness.latest_epoch(session, job_id)
    if cursor is not None:
        cursor_order, narrowing, cursor_round, epoch, start = decode_cursor(session, cursor, str, str, int, int, int)
        if (cursor_order, narrowing) != (order, wanted.narrowing):
            raise BadCursor
        if wanted.round not in (None, cursor_round):
            raise BadCursor
        number = cursor_round or None
    scores = None if epoch is None else tailness.scores(session, job_id, epoch)
    in_cluster = None
    if wanted.cluster is not None:
        number, in_cluster = _in_cluster(session, job_id, wanted.cluster, number)
    if scores is None or (wanted.cluster is not None and in_cluster is None):
        return IdSamplePage(items=[], next_cursor=None, epoch=None, round=None)
    classes = Classes.of(dataset)
    columns: dict[str, NDArray[Any]] = {"tailness": scores}
    passing = np.ones(len(scores), bool)
    if classes.label is not None:
        columns["label"] = classes.label
        passing = passing if wanted.label is None else classes.label == wanted.label
    if in_cluster is not None:
        passing &= in_cluster
    indices = ordered(np.flatnonzero(passing), columns, order)
    found = Slice(
        (int(index) for index in indices[start : start + limit + 1]),
        limit,
        lambda taken, _: encode_cursor(session, order, wanted.narrowing, number or 0, epoch, start + taken),
    )
    return IdSamplePage.of(
        found,
        lambda index: IdSample(index=index, **classes.shown(index), tailness=float(scores[index])),
        epoch=epoch,
        round=number,
    )


def sample(session: Session, job_id: str, index: int) -> IdSampleDetail:
    """One sample after every recorded epoch.

    Raises:
        NotFound: the index is beyond the training part.
    """
    dataset = dataset_of(session, job_id)
    num_train = (dataset.split_sizes or {}).get("train", 0)
    if index >= num_train:
        raise NotFound(f"There is no training sample {index}. The training part has {num_train} samples.")
    epochs = _shown_epochs(tailness.epochs(session, job_id, None))
    history = tailness.history(session, job_id, index, epochs)
    return IdSampleDetail(
        index=index,
        **Classes.of(dataset).shown(index),
        tailness=history[-1][1] if history else None,
        history=IdHistory(epoch=[epoch for epoch, _ in history], tailness=[value for _, value in history]),
    )


def classes(
    session: Session, job_id: str, epoch: int | None, limit: int | None, cursor: str | None
) -> ClassTailnessList:
    """Mean tailness by class, after one epoch or after every recorded one.

    Of more than MOST_EPOCHS, evenly spaced ones and the last are shown. All pages show the epochs
    of the first page.

    Raises:
        NotFound: the epoch was not recorded.
        Conflict: the data set has no labels.
    """
    dataset = dataset_of(session, job_id)
    if not dataset.labels:
        raise Conflict(f"The job trains on '{dataset.name}', whose images have no labels, so there are no classes.")
    start, until = 0, None
    if cursor is not None:
        asked, until, start = decode_cursor(session, cursor, int, int, int)
        if asked != (epoch or 0):
            raise BadCursor
    epochs = _shown_epochs([epoch] if epoch is not None else tailness.epochs(session, job_id, until))
    means = tailness.class_means(session, job_id, epochs)
    if epoch is not None and not means:
        raise NotFound(f"No tailness was recorded after epoch {epoch}.")
    names, counts = dataset.class_names or [], dataset.class_counts or []

    def shown(label: int) -> ClassTailness:
        history = [of_epoch[label] for of_epoch in means]
        return ClassTailness(
            label=label,
            class_name=str(names[label]),
            count=counts[label],
            mean_tailness=history[-1] if history else None,
            history=history,
        )

    found = Slice(
        (label for label in range(start, len(names))),
        limit or len(names),
        lambda taken, _: encode_cursor(session, epoch or 0, epochs[-1] if epochs else 0, start + taken),
    )
    fit = size_fit(counts, means[-1] if means else [None] * len(counts))
    return ClassTailnessList.of(found, shown, epochs=epochs, fit=fit)


def _shown_epochs(epochs: list[int]) -> list[int]:
    """At most MOST_EPOCHS of them, with the last."""
    every = -(-len(epochs) // MOST_EPOCHS) or 1
    return epochs[::-1][::every][::-1]


@dataclass(frozen=True, slots=True)
class Classes:
    """Classes of the training images; None without labels."""

    label: NDArray[np.int64] | None
    names: list[str]

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        return cls(labels_of(dataset.artifact).training if dataset.labels else None, dataset.class_names or [])

    def shown(self, index: int) -> dict[str, Any]:
        """Label and name of a training image."""
        if self.label is None:
            return {"label": None, "class_name": None}
        label = int(self.label[index])
        return {"label": label, "class_name": str(self.names[label])}


def _check_label(dataset: Dataset, label: int | None, order: IdOrder) -> None:
    """Check a filter or an order by class.

    Raises:
        Unprocessable: the data set has no such class, or no labels.
    """
    if not dataset.labels:
        if label is not None or order.endswith("label"):
            where = "?order" if label is None else "?label"
            raise Unprocessable((where, "the job's data set has no labels: leave it out"))
    elif label is not None and label >= (count := len(dataset.class_names or [])):
        raise Unprocessable(("?label", f"must be below {count}, the number of classes"))


def _in_cluster(
    session: Session, job_id: str, cluster: int, number: int | None
) -> tuple[int | None, NDArray[np.bool_] | None]:
    """The round, and a (N,) mask of the training images that were in this cluster of it.

    Before the first round it is (None, None).

    Raises:
        NotFound: the round was not run.
    """
    found = rounds.training_clusters(session, job_id, number)
    if found is not None:
        return found[0], found[1] == cluster
    if number is not None:
        raise NotFound(f"This job has had no sampling round {number}.")
    return None, None


def dataset_of(session: Session, job_id: str) -> Dataset:
    """The data set that a job trains on.

    Raises:
        NotFound: there is no such job.
    """
    dataset = registrations.get(session, Dataset, find(session, job_id).dataset_id)
    assert dataset is not None  # a foreign key says so
    return dataset
