"""Health, outside `/api/v1`: the process is up; the service can work; numbers for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api.health import metrics
from api.http.errors import Problem, problem_response, problems
from store import migrate
from store.artifacts import get_artifacts
from store.broker import get_celery
from store.database import get_engine, reading
from store.repositories import workers
from store.settings import get_settings

log = logging.getLogger(__name__)
router = APIRouter(tags=["health"])

CHECK_SECONDS = 4.0
# Checks of their own threads: one that hangs must not hold up the others, nor the API.
_pool = ThreadPoolExecutor(8, thread_name_prefix="health")


class Lacking(Exception):
    """What is missing, in words for clients."""


class Alive(BaseModel):
    status: str = "ok"


class Ready(BaseModel):
    status: str = "ready"
    missing: list[str] = []


class NotReady(Problem):
    missing: list[str]


@router.get("/healthz")
async def check_health() -> Alive:
    """The process answers."""
    return Alive()


@router.get("/readyz", response_model=Ready, responses={503: problems(503)[503] | {"model": NotReady}})
def check_readiness(request: Request) -> Ready | Response:
    """Whether database, broker, artifact store and at least one worker are there; `missing` names
    what is not."""
    running = {name: _pool.submit(check) for name, check in CHECKS.items()}
    missing, told = [], []
    for name, future in running.items():
        try:
            future.result(CHECK_SECONDS)
            continue
        except FutureTimeout:
            cause = why = f"did not answer within {CHECK_SECONDS:g} s"
        except (Lacking, migrate.DatabaseIsNewer) as error:
            cause = why = str(error)
        except Exception as error:  # its text may hold an address or a path: for the log alone
            cause, why = str(error), "cannot be used; the log says why"
        log.warning("not ready: %s: %s", name, cause)
        missing.append(name)
        told.append(f"{name} ({why})")
    if not missing:
        return Ready()
    detail = f"Missing: {', '.join(told)}."
    return problem_response(request.url.path, 503, detail, headers={"Retry-After": "2"}, missing=missing)


@router.get("/metrics", response_class=Response)
def read_metrics() -> Response:
    """Prometheus metrics: requests, jobs, registrations, queues, attempts, workers, the database's
    errors."""
    body, media_type = metrics.exposition()
    return Response(body, media_type=media_type)


def _check_database() -> None:
    migrate.check_not_newer(get_engine())
    if (found := migrate.current(get_engine())) != (needed := migrate.head()):
        raise Lacking(f"its schema is at revision {found}, and this version needs {needed}: run `colt migrate`")


def _check_broker() -> None:
    with get_celery().connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=CHECK_SECONDS)


def _check_worker() -> None:
    with reading() as session:
        if not workers.count_live(session, get_settings().worker_silence_seconds):
            raise Lacking("none has moved its heartbeat lately")


CHECKS: dict[str, Callable[[], None]] = {
    "database": _check_database,
    "broker": _check_broker,
    "artifacts": lambda: get_artifacts().check(),
    "worker": _check_worker,
}
