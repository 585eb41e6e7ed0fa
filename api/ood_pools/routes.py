"""OOD pools: unlabelled images that sampling rounds pick from."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, BackgroundTasks, Path, Query, Request, Response

from api import registration
from api.access.auth import Guarded
from api.http.after_commit import delete_later, ring_later
from api.http.clients import token_id
from api.http.errors import problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.http.responses import PNG
from api.ood_pools import service
from api.ood_pools.schemas import NewOodPool, OodPoolInfo
from api.registration import Accepted
from api.samples.schemas import PoolSample
from api.samples.service import image_response, page_of
from store.database import reading, writing
from store.models import OodPool
from store.repositories import registrations
from store.statuses import RegistrationStatus

router = APIRouter(prefix="/ood-pools", tags=["data"], route_class=Guarded)


@router.post("", status_code=202, responses=problems(415))
def register_ood_pool(
    wanted: NewOodPool, request: Request, background: BackgroundTasks, response: Response
) -> Accepted:
    """Register a pool of unlabelled images: any tree of images, an npz with `images`, or an npy.

    A worker reads it. Poll the address in `Location` until the status is `ready` or `failed`.
    An equal request of the same token returns the pool that is still being registered.
    """
    with writing() as session:
        pool = service.register(session, wanted, token_id(request))
    ring_later(background, OodPool.bell)
    response.headers["Location"] = f"/api/v1/ood-pools/{pool.id}"
    return Accepted(id=pool.id, status=pool.status)


@router.get("")
def list_ood_pools(
    status: Annotated[RegistrationStatus | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[OodPoolInfo]:
    """List OOD pools, newest first."""
    with reading() as session:
        found = registrations.page(session, OodPool, status, limit, cursor)
        return Page[OodPoolInfo].of(found, OodPoolInfo.model_validate)


@router.get("/{pool_id}", responses=problems(404))
def get_ood_pool(pool_id: str) -> OodPoolInfo:
    """Get one OOD pool."""
    with reading() as session:
        return OodPoolInfo.model_validate(registration.find(session, OodPool, pool_id))


@router.delete("/{pool_id}", status_code=204, responses=problems(404, 409))
def delete_ood_pool(pool_id: str, background: BackgroundTasks) -> None:
    """Delete a pool and its images. Refused while jobs use it."""
    with writing() as session:
        folder = registration.remove(session, OodPool, pool_id)
    delete_later(background, folder)


@router.get("/{pool_id}/samples", responses=problems(404, 409))
def list_ood_pool_samples(pool_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[PoolSample]:
    """List samples by index."""
    with reading() as session:
        pool = registration.find_ready(session, OodPool, pool_id)
        found = page_of(session, np.arange(pool.num_samples or 0), limit, cursor)
        return Page[PoolSample].of(found, lambda index: PoolSample(index=index))


@router.get("/{pool_id}/samples/{index}/image", response_class=Response, responses=PNG | problems(404, 409))
def get_ood_pool_image(pool_id: str, index: Annotated[int, Path(ge=0)], request: Request) -> Response:
    """Get one image as PNG."""
    with reading() as session:
        artifact = registration.find_ready(session, OodPool, pool_id).artifact
    return image_response(request, artifact, index)
