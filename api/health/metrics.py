"""Metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from store.database import on_database_error, reading
from store.models import Registered, leased_models, utc_now
from store.repositories import attempts, jobs, queues, registrations, workers
from store.settings import get_settings
from store.statuses import AttemptOutcome, RegistrationStatus, WorkStatus

_registry = CollectorRegistry()
_requests = Counter("colt_http_requests", "Requests answered.", ["method", "route", "status"], registry=_registry)
_seconds = Histogram(
    "colt_http_request_seconds", "Time until the response began.", ["method", "route"], registry=_registry
)
_database_errors = Counter(
    "colt_database_errors", "Database errors in this process, by type.", ["error"], registry=_registry
)

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def exposition() -> tuple[bytes, str]:
    """All metrics in Prometheus' text format, and the media type of that format."""
    return generate_latest(_registry), CONTENT_TYPE_LATEST


class _Stored(Collector):
    """What the database currently holds. While it is away, only that is reported; all other metrics
    can still be read."""

    def describe(self) -> Iterable[Metric]:
        return ()  # otherwise registering this collector would read the database

    def collect(self) -> Iterator[Metric]:
        try:
            with reading() as session:
                found = list(_stored(session))
        except SQLAlchemyError:
            found = []
        yield GaugeMetricFamily("colt_database_up", "Whether the database answers.", value=float(bool(found)))
        yield from found


_registry.register(_Stored())


def _stored(session: Session) -> Iterator[Metric]:
    silence = get_settings().worker_silence_seconds
    by_status = jobs.counts_by_status(session)
    family = GaugeMetricFamily("colt_jobs", "Jobs by status.", labels=["status"])
    for status in WorkStatus:
        family.add_metric([status], by_status.get(status, 0))
    yield family

    family = GaugeMetricFamily("colt_registrations", "Data sets and OOD pools by status.", labels=["kind", "status"])
    for model in leased_models(Registered):
        counts = registrations.counts_by_status(session, model)
        for stage in RegistrationStatus:
            family.add_metric([model.noun, stage], counts.get(stage, 0))
    yield family

    waiting = queues.waiting(session)
    length = GaugeMetricFamily("colt_queue_length", "Work waiting for a worker.", labels=["kind"])
    age = GaugeMetricFamily("colt_queue_age_seconds", "How long the oldest of it has waited.", labels=["kind"])
    for name, queue in waiting.items():
        length.add_metric([name], queue.length)
        waited = 0.0 if queue.since is None else (utc_now() - queue.since).total_seconds()
        age.add_metric([name], max(0.0, waited))
    yield from (length, age)

    ended = attempts.counts_by_outcome(session)
    family = GaugeMetricFamily("colt_job_attempts", "Ended attempts of all stored jobs.", labels=["outcome"])
    for outcome in AttemptOutcome:
        family.add_metric([outcome], ended.get(outcome, 0))
    yield family

    live = workers.count_live(session, silence)
    yield GaugeMetricFamily("colt_workers_live", "Workers with a recent heartbeat.", value=live)


@on_database_error
def _count_error(error: BaseException) -> None:
    _database_errors.labels(type(error).__name__).inc()


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a response that has begun. `route` is a template, so that ids make no new series."""
    method = method if method in _METHODS else "OTHER"
    _requests.labels(method, route, status).inc()
    _seconds.labels(method, route).observe(seconds)
