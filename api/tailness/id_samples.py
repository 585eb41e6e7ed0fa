"""Tailness of the ID training images."""

from __future__ import annotations

import numpy as np
from sqlalchemy.orm import Session

from api.http.errors import NotFound, Unprocessable
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
from store.models import Dataset
from store.repositories import registrations, tailness
from store.repositories.pages import BadCursor, decode_cursor, encode_cursor


def page(
    session: Session, job_id: str, label: int | None, order: IdOrder, limit: int, cursor: str | None
) -> IdSamplePage:
    """Samples by their latest tailness. A cursor stays with the epoch that its first page showed."""
    dataset = _dataset_of(session, job_id)
    names = dataset.class_names or []
    if label is not None and label >= len(names):
        raise Unprocessable(("?label", f"must be below {len(names)}, the number of classes"))
    start, epoch = 0, tailness.latest_epoch(session, job_id)
    if cursor is not None:
        cursor_order, cursor_label, epoch, start = decode_cursor(cursor, str, int, int, int)
        if (cursor_order, cursor_label) != (order, -1 if label is None else label) or start < 0:
            raise BadCursor
    scores = None if epoch is None else tailness.scores(session, job_id, epoch)
    if scores is None:
        return IdSamplePage(items=[], next_cursor=None, epoch=None)
    labels = labels_of(dataset.artifact).training
    indices = np.arange(len(scores)) if label is None else np.flatnonzero(labels == label)
    indices = ordered(indices, {"tailness": scores, "label": labels}, order)
    shown = indices[start : start + limit]
    more = start + limit < len(indices)
    return IdSamplePage(
        items=[
            IdSample(
                index=int(index),
                label=int(labels[index]),
                class_name=str(names[labels[index]]),
                tailness=float(scores[index]),
            )
            for index in shown
        ],
        next_cursor=encode_cursor(order, -1 if label is None else label, epoch, start + limit) if more else None,
        epoch=epoch,
    )


def sample(session: Session, job_id: str, index: int) -> IdSampleDetail:
    """One sample after every recorded epoch.

    Raises:
        NotFound: for an index beyond the training part.
    """
    dataset = _dataset_of(session, job_id)
    labels = labels_of(dataset.artifact).training
    if index >= len(labels):
        raise NotFound(f"There is no training sample {index}; the training part has {len(labels)}.")
    history = tailness.history(session, job_id, index)
    return IdSampleDetail(
        index=index,
        label=int(labels[index]),
        class_name=str((dataset.class_names or [])[labels[index]]),
        tailness=history[-1][1] if history else None,
        history=IdHistory(epoch=[epoch for epoch, _ in history], tailness=[value for _, value in history]),
    )


def classes(session: Session, job_id: str, epoch: int | None) -> ClassTailnessList:
    """Mean tailness by class, after every recorded epoch or one.

    Raises:
        NotFound: for an epoch that was not recorded.
    """
    dataset = _dataset_of(session, job_id)
    recorded = tailness.class_means(session, job_id, epoch)
    if epoch is not None and not recorded:
        raise NotFound(f"Nothing was recorded after epoch {epoch}.")
    counts = dataset.class_counts or []
    items = []
    for label, name in enumerate(dataset.class_names or []):
        history = [means[label] for _, means in recorded]
        items.append(
            ClassTailness(
                label=label,
                class_name=str(name),
                count=counts[label],
                mean_tailness=history[-1] if history else None,
                history=history,
            )
        )
    return ClassTailnessList(epochs=[number for number, _ in recorded], items=items)


def _dataset_of(session: Session, job_id: str) -> Dataset:
    dataset = registrations.get(session, Dataset, find(session, job_id).dataset_id)
    assert dataset is not None  # a foreign key says so
    return dataset
