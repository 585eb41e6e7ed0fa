"""Health, outside of `/api/v1`: liveness, readiness and Prometheus metrics."""

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
# Checks run in their own threads, so that one that hangs blocks neither the others nor the API.
_pool = ThreadPoolExecutor(8, thread_name_prefix="health")


class Lacking(Exception):
    """What is missing, in words that clients may see."""


class Alive(BaseModel):
    status: str = "ok"


class Ready(BaseModel):
    status: str = "ready"
    missing: list[str] = []


class NotReady(Problem):
    missing: list[str]


@router.get("/healthz")
async def check_health() -> Alive:
    """Check that the process is up."""
    return Alive()


@router.get("/readyz", response_model=Ready, responses={503: problems(503)[503] | {"model": NotReady}})
def check_readiness(request: Request) -> Ready | Response:
    """Check that the database, the broker, the artifact store and at least one worker are
    available.

    `missing` lists those that are not.
    """
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
        except Exception as error:  # its text may hold an address or a path, so only the log gets it
            cause, why = str(error), "cannot be used; the log has the cause"
        log.warning("not ready: %s: %s", name, cause)
        missing.append(name)
        told.append(f"{name} ({why})")
    if not missing:
        return Ready()
    detail = f"Missing: {', '.join(told)}."
    return problem_response(request.url.path, 503, detail, headers={"Retry-After": "2"}, missing=missing)


@router.get("/metrics", response_class=Response)
def read_metrics() -> Response:
    """Get Prometheus metrics: requests, jobs, registrations, queues, attempts, workers and database
    errors."""
    body, media_type = metrics.exposition()
    return Response(body, media_type=media_type)


def _check_database() -> None:
    migrate.check_not_newer(get_engine())
    if (found := migrate.current(get_engine())) != (needed := migrate.head()):
        raise Lacking(f"its schema is at revision {found}, but this version needs {needed}: run `colt migrate`")


def _check_broker() -> None:
    with get_celery().connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=CHECK_SECONDS)


def _check_worker() -> None:
    with reading() as session:
        if not workers.count_live(session, get_settings().worker_silence_seconds):
            raise Lacking("none has sent a heartbeat recently")


CHECKS: dict[str, Callable[[], None]] = {
    "database": _check_database,
    "broker": _check_broker,
    "artifacts": lambda: get_artifacts().check(),
    "worker": _check_worker,
}
