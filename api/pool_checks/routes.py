"""Pool checks: whether a pool can help a data set, before days of training."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request, Response

from api import registration
from api.access.auth import Guarded
from api.checkpoint_work import service as checkpoint_work
from api.http.after_commit import ring_later
from api.http.clients import token_id
from api.http.errors import problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.pool_checks import service
from api.pool_checks.schemas import NewPoolCheck, PoolCheckInfo, PoolCheckWithResult
from api.registration import Accepted
from store.database import reading, writing
from store.models import OodPool, PoolCheck
from store.repositories import pool_checks

router = APIRouter(prefix="/ood-pools/{pool_id}", tags=["data"], route_class=Guarded)


@router.post("/check", status_code=202, responses=problems(404, 409, 415))
def request_pool_check(
    pool_id: str, wanted: NewPoolCheck, request: Request, background: BackgroundTasks, response: Response
) -> Accepted:
    """Request a check of a pool against a data set, with the encoder of a checkpoint or a backbone.

    It says how near the pool comes to each class, and which of its images are near-duplicates of
    the data. It says how many look in-distribution, and what COLT would do with a budget. Each
    finding has a verdict: `useful`, `useless` or `leak`. The same request again returns the
    existing check, unless it failed or was cancelled.
    """
    with writing() as session:
        check = service.request(session, pool_id, wanted, token_id(request))
    ring_later(background, PoolCheck.bell)
    return _accepted(check, response)


@router.get("/checks", responses=problems(404))
def list_pool_checks(pool_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[PoolCheckInfo]:
    """List the checks of a pool, newest first. Results are left out; ask for one check to get its
    result."""
    with reading() as session:
        registration.find(session, OodPool, pool_id)
        found = pool_checks.page(session, pool_id, limit, cursor)
        return Page[PoolCheckInfo].of(found, PoolCheckInfo.model_validate)


@router.get("/checks/{check_id}", responses=problems(404))
def get_pool_check(pool_id: str, check_id: str) -> PoolCheckWithResult:
    """Get one check with its result."""
    with reading() as session:
        return PoolCheckWithResult.model_validate(service.find(session, pool_id, check_id))


@router.post("/checks/{check_id}/cancel", status_code=202, responses=problems(404, 409))
def cancel_pool_check(pool_id: str, check_id: str, response: Response) -> Accepted:
    """Cancel a check. A queued one is `cancelled` at once. A running one is `cancelling` until its
    worker stops."""
    with writing() as session:
        service.find(session, pool_id, check_id)
        check = checkpoint_work.cancel(session, PoolCheck, check_id)
    return _accepted(check, response)


@router.delete("/checks/{check_id}", status_code=204, responses=problems(404, 409))
def delete_pool_check(pool_id: str, check_id: str) -> None:
    """Delete a check and its result. Refused while a worker has it."""
    with writing() as session:
        service.find(session, pool_id, check_id)
        checkpoint_work.remove(session, PoolCheck, check_id)


def _accepted(check: PoolCheck, response: Response) -> Accepted:
    response.headers["Location"] = f"/api/v1/ood-pools/{check.ood_pool_id}/checks/{check.id}"
    return Accepted(id=check.id, status=check.status)
