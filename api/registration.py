"""What data sets, OOD pools and backbones share: checks of their source, look-up and deletion."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from api import queues
from api.http.errors import Conflict, NotFound, Problem, Unprocessable
from colt_core.data.counts import counted, images_bytes, named_count
from colt_core.data.layouts.kinds import dataset_endings, layouts, pool_endings
from colt_core.data.lists import LIST_ENDINGS
from colt_core.data.spec import (
    DatasetSource,
    DatasetSpec,
    PathSource,
    PoolSource,
    PoolSpec,
    TorchvisionSource,
    UploadSource,
)
from colt_core.printed import UNPRINTED
from store.artifacts import get_artifacts
from store.costs import ACCEPT, large_data
from store.models import Registered
from store.repositories import registrations, turns, uploads
from store.repositories.registrations import R
from store.settings import get_settings
from store.statuses import RegistrationStatus, WorkStatus

# How many small registrations a large one counts as, in its turns.
_MOST_TIMES, _UNKNOWN_TIMES = 100, 10
PRINTED = f"[^{UNPRINTED}]"
Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern=rf"^{PRINTED}*[^\s{UNPRINTED}]{PRINTED}*$",
        examples=["cifar10-lt"],
    ),
]
AcceptCost = Annotated[
    bool, Field(strict=True, description="Register the images even if they take many bytes, for a disk or their file.")
]


class Accepted(BaseModel):
    """The request was accepted. Poll the address in `Location` for its progress."""

    id: str
    status: WorkStatus | RegistrationStatus


class RegistrationProblem(BaseModel):
    """Why a registration failed."""

    model_config = Problem.model_config | {"extra": "allow", "json_schema_extra": None}

    type: str = "about:blank"
    title: str
    status: int
    detail: str


def check_source(session: Session, source: DatasetSource | PoolSource, wanted: DatasetSpec | PoolSpec) -> int | None:
    """Check that the source exists, and that it can have the layout that is asked for.

    Returns:
        Its size in bytes; None where that is not known before it is read.

    Raises:
        Unprocessable: the upload does not exist, or its name has another ending. Or the path is
            not under an allowed root. Or the layout does not apply.
    """
    for_pool = isinstance(wanted, PoolSpec) or not wanted.labels  # images alone
    endings = pool_endings() if for_pool else dataset_endings()
    if wanted.layout is not None:
        kind = layouts[wanted.layout]
        if not isinstance(source, UploadSource | PathSource):
            raise Unprocessable(("/layout", "only an upload or a path has a layout; leave it out"))
        if not (kind.for_pools if for_pool else kind.for_datasets):
            raise Unprocessable(
                ("/layout", f"data with the layout '{kind.kind}' cannot be {'a pool' if for_pool else 'a data set'}")
            )
    if isinstance(source, UploadSource):
        return check_upload(session, source.upload_id, "/source/upload_id", endings)
    if isinstance(source, PathSource):
        return _check_path(source.path)
    return None if isinstance(source, TorchvisionSource) else 0  # samples come with the service


def check_upload(session: Session, upload_id: str, where: str, endings: tuple[str, ...]) -> int:
    """Check that an upload exists, and note that it is used.

    Args:
        where: the pointer to it in the request.
        endings: of file names that can be read.

    Returns:
        Its size in bytes.

    Raises:
        Unprocessable: there is none, or its name has another ending.
    """
    upload = uploads.use(session, upload_id)
    if upload is None:
        raise Unprocessable((where, "there is no such upload; send the file to POST /uploads, which returns its id"))
    if not upload.filename.lower().endswith(endings):
        raise Unprocessable((where, f"'{upload.filename}' must end in one of {', '.join(endings)}"))
    return upload.bytes


def queue(session: Session, row: R, submitter: str | None, size: int | None) -> R:
    """Queue a registration, or return an equal one of this submitter that waits or runs.

    Args:
        size: of its source in bytes, if known. Small registrations pass large ones.

    Raises:
        TooManyRequests: the submitter has too many that wait.
    """
    turns.lock(session, submitter)
    body = json.dumps({"name": row.name, "spec": row.spec}, sort_keys=True)
    row.request_sha256 = hashlib.sha256(body.encode()).hexdigest()
    earlier = registrations.same(session, type(row), submitter, row.request_sha256)
    if earlier is not None:
        return earlier
    small = get_settings().small_bytes
    is_large = size is None or size > small
    times = _UNKNOWN_TIMES if size is None else min(_MOST_TIMES, 1 + size // max(1, small)) if is_large else 1
    queues.place(session, type(row), submitter, cost=times * turns.COST, is_large=is_large).give(row)
    registrations.add(session, row)
    return row


def check_lists(session: Session, wanted: DatasetSpec, source: DatasetSource) -> None:
    """Check that uploaded lists and indices exist, and that they can be used together.

    Raises:
        Unprocessable: one does not exist, or has another ending, or they contradict the source.
    """
    if wanted.long_tail is not None and wanted.long_tail.upload_id is not None:
        check_upload(session, wanted.long_tail.upload_id, "/long_tail/upload_id", (".npy", *LIST_ENDINGS))
    if wanted.lists is None:
        return
    if not isinstance(source, UploadSource | PathSource):
        raise Unprocessable(("/lists", "a list names files, which only an upload or a path has; leave it out"))
    if wanted.layout not in (None, "lists"):
        raise Unprocessable(("/lists", f"data with the layout '{wanted.layout}' do not use lists; leave one out"))
    indices = wanted.long_tail is not None and wanted.long_tail.upload_id is not None
    if wanted.lists.train is None and not indices:
        raise Unprocessable(("/lists/train", "the list of the training images is missing"))
    for part, upload_id in wanted.lists.by_part().items():
        check_upload(session, upload_id, f"/lists/{part}", LIST_ENDINGS)


def check_cost(
    session: Session, source: DatasetSource | PoolSource, wanted: DatasetSpec | PoolSpec, accepted: bool
) -> None:
    """Check the bytes of the images, as far as they are known before a worker reads the source.

    Raises:
        Unprocessable: there is no room for them, or they are large and not accepted.
    """
    for_pool = isinstance(wanted, PoolSpec) or not wanted.labels
    side, upload = wanted.image_size, None
    if isinstance(source, UploadSource):
        upload = uploads.get(session, source.upload_id)
        path = None if upload is None else get_artifacts().own_path(upload.artifact)
        found = None if path is None else counted(path, for_pool=for_pool)
        count, side = (None, None) if found is None else (found[0], side or found[1])
    elif isinstance(source, PathSource):
        return
    else:
        count = named_count(source.name, for_pool=for_pool)
    if count is None or side is None:
        return
    needed = images_bytes(count, side)
    told = f"{count:,} images of {side} x {side} pixels take up to {needed:,} bytes"
    room = get_artifacts().room()
    if room is not None and needed > room:
        lack = f"{told}, {needed - room:,} more than there is room for in the artifact store"
        if not accepted or isinstance(wanted, PoolSpec) or wanted.long_tail is None:
            raise Unprocessable(("/image_size", f"{lack}: choose a smaller image_size, or free the disk"))
    if not accepted and (why := large_data(needed, None if upload is None else upload.bytes)) is not None:
        raise Unprocessable(("/image_size", f"{told}, {why}: choose a smaller image_size, {ACCEPT}"))


def find(session: Session, model: type[R], row_id: str) -> R:
    """The row.

    Raises:
        NotFound: there is none.
    """
    row = registrations.get(session, model, row_id)
    if row is None:
        raise _missing(model, row_id)
    return row


def find_ready(session: Session, model: type[R], row_id: str) -> R:
    """The row, whose images are stored.

    Raises:
        NotFound: there is no such row.
        Conflict: it is not ready.
    """
    row = find(session, model, row_id)
    if row.status != RegistrationStatus.READY:
        raise Conflict(f"The {model.called} is {row.status}; only a ready one can be used.")
    return row


def named_ready(session: Session, model: type[R], row_id: str, pointer: str) -> R:
    """The row that a request names, which must be ready.

    Args:
        pointer: to the name in the request.

    Raises:
        Unprocessable: there is no such row, or it failed.
        Conflict: it is still registering.
    """
    row = registrations.get(session, model, row_id)
    if row is None:
        raise Unprocessable((pointer, "does not exist; check the id"))
    if row.status == RegistrationStatus.REGISTERING:
        field = pointer.rpartition("/")[2]
        raise Conflict(f"{field} '{row.name}' is still registering. Ask again when its status is 'ready'.")
    if row.status != RegistrationStatus.READY:
        raise Unprocessable((pointer, f"'{row.name}' failed to register; its `problem` says why"))
    return row


def remove(session: Session, model: type[R], row_id: str) -> str:
    """Delete the row.

    Returns:
        The key of its folder, to be deleted after the commit.

    Raises:
        NotFound: there is no such row.
        Conflict: jobs or evaluations use it.
    """
    row = find(session, model, row_id)
    try:
        removed = registrations.remove(session, model, row_id)
    except registrations.InUse as error:
        raise Conflict(f"{str(error).capitalize()} use this {model.called}. Delete them first.") from error
    if not removed:  # by another request, since it was looked up
        raise _missing(model, row_id)
    return row.folder


def _missing(model: type[Registered], row_id: str) -> NotFound:
    return NotFound(f"There is no {model.called} {row_id[:64]}.")


def _check_path(text: str) -> int | None:
    # All refusals read the same, so that they reveal nothing about files outside the roots.
    refused = Unprocessable(
        ("/source/path", "must be an existing folder or file under an allowed root of the server (COLT_DATA_ROOTS)")
    )
    path = Path(text)
    if not path.is_absolute() or "\0" in text:
        raise refused
    try:
        real = path.resolve(strict=True)
        inside = any(real.is_relative_to(root.resolve()) for root in get_settings().data_roots)
        size = real.stat().st_size if inside and real.is_file() else None
    except (OSError, RuntimeError) as error:
        raise refused from error
    if not inside:
        raise refused
    return size
