"""Data sets: images to pretrain on, most of them with labels, and a long-tailed training part."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Path, Query, Request, Response

from api import registration
from api.access.auth import Guarded
from api.datasets import service
from api.datasets.schemas import DatasetInfo, NewDataset
from api.http.after_commit import delete_later, ring_later
from api.http.clients import token_id
from api.http.downloads import text_response
from api.http.errors import problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.http.responses import PNG, TEXT
from api.registration import Accepted
from api.samples.schemas import DatasetSample, Split
from api.samples.service import image_response
from store.database import reading, writing
from store.models import Dataset
from store.repositories import registrations
from store.statuses import RegistrationStatus

router = APIRouter(prefix="/datasets", tags=["data"], route_class=Guarded)


@router.post("", status_code=202, responses=problems(415))
def register_dataset(wanted: NewDataset, request: Request, background: BackgroundTasks, response: Response) -> Accepted:
    """Register a labelled image data set and optionally cut a long-tailed training part from it.

    A worker recognises the layout of the files, such as `[train|val|test/]CLASS/IMAGE`. Poll
    the address in `Location` until the status is `ready` or `failed`. With `labels: false` it is
    images alone, as for a pool. An equal request of the same token returns the data set that is
    still being registered.
    """
    service.check_inline(wanted)
    with writing() as session:
        dataset = service.register(session, wanted, token_id(request))
    ring_later(background, Dataset.bell)
    response.headers["Location"] = f"/api/v1/datasets/{dataset.id}"
    return Accepted(id=dataset.id, status=dataset.status)


@router.get("")
def list_datasets(
    status: Annotated[RegistrationStatus | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[DatasetInfo]:
    """List data sets, newest first."""
    with reading() as session:
        found = registrations.page(session, Dataset, status, limit, cursor)
        return Page[DatasetInfo].of(found, DatasetInfo.model_validate)


@router.get("/{dataset_id}", responses=problems(404))
def get_dataset(dataset_id: str) -> DatasetInfo:
    """Get one data set: its status, class counts, parts and groups."""
    with reading() as session:
        return DatasetInfo.model_validate(registration.find(session, Dataset, dataset_id))


@router.get("/{dataset_id}/indices", response_class=Response, responses=TEXT | problems(404, 416))
def get_dataset_indices(dataset_id: str, request: Request) -> Response:
    """Download the indices that the request for a data set held itself, one a line.

    `spec.long_tail.indices` has their number and sha256. An upload of this file makes the same cut.
    """
    with reading() as session:
        found = service.indices(session, dataset_id).encode()
    return text_response(request, found, f"indices-{dataset_id}.txt")


@router.delete("/{dataset_id}", status_code=204, responses=problems(404, 409))
def delete_dataset(dataset_id: str, background: BackgroundTasks) -> None:
    """Delete a data set and its images. Refused while jobs use it."""
    with writing() as session:
        folder = registration.remove(session, Dataset, dataset_id)
    delete_later(background, folder)


@router.get("/{dataset_id}/samples", responses=problems(404, 409))
def list_dataset_samples(
    dataset_id: str,
    split: Annotated[Split | None, Query()] = None,
    label: Annotated[int | None, Query(ge=0)] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[DatasetSample]:
    """List samples by index, optionally of one part or class."""
    with reading() as session:
        dataset = registration.find_ready(session, Dataset, dataset_id)
        return service.samples(session, dataset, split, label, limit, cursor)


@router.get("/{dataset_id}/samples/{index}/image", response_class=Response, responses=PNG | problems(404, 409))
def get_dataset_image(dataset_id: str, index: Annotated[int, Path(ge=0)], request: Request) -> Response:
    """Get one image as PNG."""
    with reading() as session:
        artifact = registration.find_ready(session, Dataset, dataset_id).artifact
    return image_response(request, artifact, index)
