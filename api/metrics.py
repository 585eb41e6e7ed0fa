"""Numbers for Prometheus."""

from __future__ import annotations

import time

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.templates import route_template
from store.database import reading
from store.repositories import jobs, workers
from store.settings import get_settings

_registry = CollectorRegistry()
_requests = Counter("colt_http_requests", "Answered requests.", ["method", "route", "status"], registry=_registry)
_seconds = Histogram(
    "colt_http_request_seconds", "Time until an answer began.", ["method", "route"], registry=_registry
)
_jobs = Gauge("colt_jobs", "Jobs by status.", ["status"], registry=_registry)
_workers = Gauge("colt_workers_live", "Workers that move their heartbeat.", registry=_registry)

STATUSES = ("queued", "running", "cancelling", "cancelled", "failed", "succeeded")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def exposition() -> tuple[bytes, str]:
    """All metrics in Prometheus' text format, and its media type."""
    with reading() as session:
        counts = jobs.counts_by_status(session)
        _workers.set(workers.count_live(session, get_settings().worker_silence_seconds))
    for status in STATUSES:
        _jobs.labels(status).set(counts.get(status, 0))
    return generate_latest(_registry), CONTENT_TYPE_LATEST


class RequestMetrics:
    """ASGI middleware that counts by route template, so that ids make no new series."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in _METHODS else "OTHER"
                route = route_template(scope) or "other"
                _requests.labels(method, route, message["status"]).inc()
                _seconds.labels(method, route).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, count)
