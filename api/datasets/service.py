"""Rules of data sets."""

from __future__ import annotations

import numpy as np
from sqlalchemy.orm import Session

from api import registration
from api.datasets.schemas import NewDataset
from api.http.errors import Unprocessable
from api.samples.schemas import DatasetSample, Split
from api.samples.service import labels_of, page_of
from store.models import Dataset
from store.repositories import registrations
from store.repositories.pages import Slice


def register(session: Session, wanted: NewDataset) -> Dataset:
    """Queue the registration of a data set.

    Raises:
        Unprocessable: the source, or a list or indices, do not exist or do not fit. Or the images
            take too much room, or are large and that is not accepted.
    """
    registration.check_source(session, wanted.source, wanted)
    registration.check_lists(session, wanted, wanted.source)
    registration.check_cost(session, wanted.source, wanted, wanted.accept_cost)
    dataset = Dataset(name=wanted.name, spec=wanted.model_dump(mode="json", exclude={"name"}))
    registrations.add(session, dataset)
    return dataset


def samples(
    dataset: Dataset, split: Split | None, label: int | None, limit: int, cursor: str | None
) -> Slice[DatasetSample]:
    """A page of a ready data set's samples, by index.

    Raises:
        Unprocessable: the data set has no such label.
    """
    if not dataset.labels:
        return _unlabelled_samples(dataset, split, label, limit, cursor)
    names = dataset.class_names or []
    if label is not None and label >= len(names):
        raise Unprocessable(("?label", f"must be below {len(names)}, the number of classes"))
    labels = labels_of(dataset.artifact)
    indices = labels.all_samples if split is None else labels.parts.get(split, np.empty(0, np.int64))
    if label is not None:
        indices = indices[labels.label[indices] == label]
    found = page_of(indices, limit, cursor)
    items = [
        DatasetSample(
            index=index,
            label=int(labels.label[index]),
            class_name=str(names[labels.label[index]]),
            split=split or labels.split_of(index),
        )
        for index in found.items
    ]
    return Slice(items, found.next_cursor)


def _unlabelled_samples(
    dataset: Dataset, split: Split | None, label: int | None, limit: int, cursor: str | None
) -> Slice[DatasetSample]:
    """All of its images are the training part."""
    if label is not None:
        raise Unprocessable(("?label", "this data set has no labels: leave it out"))
    everything = np.arange((dataset.num_samples or 0) if split in (None, "train") else 0)
    found = page_of(everything, limit, cursor)
    items = [DatasetSample(index=index, label=None, class_name=None, split="train") for index in found.items]
    return Slice(items, found.next_cursor)
