"""Workers and their heartbeats."""

from __future__ import annotations

from fastapi import APIRouter

from api.access.auth import Guarded
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.workers.schemas import DevicesInfo, Work, WorkerInfo
from store.database import reading
from store.models import Worker, utc_now
from store.repositories import workers
from store.settings import get_settings

router = APIRouter(prefix="/workers", tags=["workers"], route_class=Guarded)


@router.get("")
def list_workers(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[WorkerInfo]:
    """List workers with a heartbeat within the last hour that were not stopped, most recently
    started first."""
    with reading() as session:
        held = workers.work_held(session)
        now, silence = utc_now(), get_settings().worker_silence_seconds

        def shown(worker: Worker) -> WorkerInfo:
            silent = max(0.0, (now - worker.heartbeat_at).total_seconds())
            return WorkerInfo(
                id=worker.id,
                live=silent <= silence,
                started_at=worker.started_at,
                heartbeat_at=worker.heartbeat_at,
                silent_seconds=silent,
                devices=None if worker.devices is None else DevicesInfo.model_validate(worker.devices),
                works_on=[Work.model_validate(work, from_attributes=True) for work in held.get(worker.id, [])],
            )

        return Page[WorkerInfo].of(workers.page(session, limit, cursor), shown)
