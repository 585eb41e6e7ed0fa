"""Health, outside of `/api/v1`: liveness, readiness and Prometheus metrics."""

from __future__ import annotations

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api.health import metrics
from api.health.readiness import Readiness
from api.health.shared import Shared
from api.http.errors import Problem, problem_response, problems

router = APIRouter(tags=["health"])
_own_thread = anyio.CapacityLimiter(1)  # a scrape that waits for the database delays nobody else


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
async def check_readiness(request: Request) -> Ready | Response:
    """Check that the database, the broker, the artifact store and at least one worker are
    available.

    `missing` lists those that are not. The answer may be two seconds old.
    """
    readiness: Readiness = request.app.state.readiness
    lacks = await readiness.lacks()
    if not lacks:
        return Ready()
    detail = f"Missing: {', '.join(f'{lack.name} ({lack.why})' for lack in lacks)}."
    missing = [lack.name for lack in lacks]
    return problem_response(request.url.path, 503, detail, headers={"Retry-After": "2"}, missing=missing)


async def scrape() -> tuple[bytes, str]:
    """All metrics, and their media type."""
    return await anyio.to_thread.run_sync(metrics.exposition, limiter=_own_thread)


@router.get("/metrics", response_class=Response)
async def read_metrics(request: Request) -> Response:
    """Get Prometheus metrics: requests, jobs, registrations, queues, attempts, workers and database
    errors.

    Clients that ask at once get the same answer.
    """
    scraped: Shared[tuple[bytes, str]] = request.app.state.scraped
    body, media_type = await scraped.result()
    return Response(body, media_type=media_type)
