"""Rules of data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from sqlalchemy.orm import Session

from api import registration
from api.datasets.schemas import NewDataset
from api.http.errors import NotFound, Unprocessable
from api.http.pages import Page
from api.samples.schemas import DatasetSample, Split
from api.samples.service import labels_of, page_of
from colt_core.data import DataError, is_list, read_indices
from colt_core.data.long_tail import repeated
from store.artifacts import get_artifacts
from store.database import reading
from store.models import Dataset
from store.repositories import registrations, uploads

MOST_INLINE = 10_000  # entries of a list in a request
_MOST_READ = 4 * 2**20  # bytes of an uploaded list that is read at submission


def check_inline(wanted: NewDataset) -> None:
    """Check the lists that the request holds itself, and small ones that it refers to.

    An uploaded list is read outside of a transaction. A larger one, or one of images, is left to
    the worker.

    Raises:
        Unprocessable: one is too long, or cannot be used, or lists an index twice.
    """
    names, long_tail = wanted.label_names, wanted.long_tail
    if names is not None and len(names) > MOST_INLINE:
        raise Unprocessable(("/label_names", f"has {len(names):,} names, and at most {MOST_INLINE:,} can be given"))
    if long_tail is None:
        return
    if long_tail.indices is not None:
        if (length := len(long_tail.indices)) > MOST_INLINE:
            instead = "Send a longer list as an upload (.npy or .txt), and name it in `upload_id`"
            what = f"has {length:,} entries, and at most {MOST_INLINE:,} can be given here. {instead}"
            raise Unprocessable(("/long_tail/indices", what))
        _check_once_each(long_tail.indices, "/long_tail/indices")
    elif long_tail.upload_id is not None:
        try:
            indices = _uploaded_indices(long_tail.upload_id)
        except DataError as error:
            raise Unprocessable(("/long_tail/upload_id", str(error))) from error
        _check_once_each(indices or (), "/long_tail/upload_id")


def register(session: Session, wanted: NewDataset, submitter: str | None = None) -> Dataset:
    """Queue the registration of a data set. Call `check_inline` before.

    Args:
        submitter: id of the token that asks; None without a token.

    Raises:
        TooManyRequests: the token has too many that wait.
        Unprocessable: the source, or a list or indices, do not exist or do not fit. Or the images
            take too much room, or are large and that is not accepted.
    """
    size = registration.check_source(session, wanted.source, wanted)
    registration.check_lists(session, wanted, wanted.source)
    registration.check_cost(session, wanted.source, wanted, wanted.accept_cost)
    spec = wanted.model_dump(mode="json", exclude={"name"})
    dataset = Dataset(name=wanted.name, spec=spec)
    if wanted.long_tail is not None and wanted.long_tail.indices is not None:
        # Beside the row: each answer that shows the row would hold them.
        dataset.indices = "".join(f"{index}\n" for index in wanted.long_tail.indices)
        spec["long_tail"]["indices"] = {
            "count": len(wanted.long_tail.indices),
            "sha256": hashlib.sha256(dataset.indices.encode()).hexdigest(),
        }
    return registration.queue(session, dataset, submitter, size)


def indices(session: Session, dataset_id: str) -> str:
    """The indices that the request for a data set held, one a line.

    Raises:
        NotFound: there is no such data set, or its request held none.
    """
    found = registrations.indices(session, dataset_id)
    if found is None:
        registration.find(session, Dataset, dataset_id)
        raise NotFound("The request for this data set held no indices. Its `spec` says how it was cut.")
    return found


def _uploaded_indices(upload_id: str) -> tuple[int, ...] | None:
    """The indices in an upload; None if it is missing, large, or a list of images.

    Raises:
        DataError: it holds no indices.
    """
    with reading() as session:
        upload = uploads.get(session, upload_id)
    if upload is None or upload.bytes > _MOST_READ:
        return None
    try:
        path = get_artifacts().local_path(upload.artifact)
        return None if is_list(path) else read_indices(path)
    except FileNotFoundError:  # the worker says so
        return None


def _check_once_each(indices: Sequence[int], where: str) -> None:
    if (twice := repeated(indices)) is not None:
        raise Unprocessable((where, f"index {twice} is listed twice; list each training image once"))


def samples(
    session: Session, dataset: Dataset, split: Split | None, label: int | None, limit: int, cursor: str | None
) -> Page[DatasetSample]:
    """A page of a ready data set's samples, by index.

    Raises:
        Unprocessable: the data set has no such label.
    """
    if not dataset.labels:
        return _unlabelled_samples(session, dataset, split, label, limit, cursor)
    names = dataset.class_names or []
    if label is not None and label >= len(names):
        raise Unprocessable(("?label", f"must be below {len(names)}, the number of classes"))
    labels = labels_of(dataset.artifact)
    indices = labels.all_samples if split is None else labels.parts.get(split, np.empty(0, np.int64))
    if label is not None:
        indices = indices[labels.label[indices] == label]

    def shown(index: int) -> DatasetSample:
        of_class = int(labels.label[index])
        return DatasetSample(
            index=index,
            label=of_class,
            class_name=str(names[of_class]),
            split=split or labels.split_of(index),
        )

    return Page[DatasetSample].of(page_of(session, indices, limit, cursor), shown)


def _unlabelled_samples(
    session: Session, dataset: Dataset, split: Split | None, label: int | None, limit: int, cursor: str | None
) -> Page[DatasetSample]:
    """All of its images are the training part."""
    if label is not None:
        raise Unprocessable(("?label", "this data set has no labels: leave it out"))
    everything = np.arange((dataset.num_samples or 0) if split in (None, "train") else 0)
    return Page[DatasetSample].of(
        page_of(session, everything, limit, cursor),
        lambda index: DatasetSample(index=index, label=None, class_name=None, split="train"),
    )
