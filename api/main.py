"""The FastAPI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.access import sessions
from api.access.auth import bearer
from api.access.wrong_tokens import WrongTokens
from api.analyses import routes as analyses
from api.attempts import routes as attempts
from api.backbones import routes as backbones
from api.checkpoints import routes as checkpoints
from api.compare import routes as compare
from api.datasets import routes as datasets
from api.evaluations import routes as evaluations
from api.experiments import routes as experiments
from api.exports import routes as exports
from api.health import routes as health
from api.health.readiness import Readiness
from api.health.shared import Shared
from api.http import errors, frontend, guide, openapi
from api.http.body_limit import BodyLimit
from api.http.compression import Compression
from api.http.docs import routes as docs
from api.http.frontend import PageRules
from api.http.requests import Requests
from api.http.root_path import RootPath
from api.http.security import Security
from api.http.unexpected import refuse_unexpected
from api.http.unread import CloseUnread
from api.jobs import routes as jobs
from api.jobs.feed import EventFeed
from api.kinds import routes as kinds
from api.ood_pools import routes as ood_pools
from api.picks import routes as picks
from api.pool_checks import routes as pool_checks
from api.records import routes as records
from api.resumable_uploads import routes as resumable_uploads
from api.rounds import routes as rounds
from api.scores import routes as scores
from api.scores.waits import Waits
from api.seats import routes as seats
from api.tailness import routes as tailness
from api.uploads import routes as uploads
from api.uploads.places import Places
from api.workers import routes as workers
from colt_core.version import installed_version
from store.database import get_engine, limit_waits
from store.settings import get_settings

_NOUNS = (
    *(uploads, resumable_uploads, datasets, ood_pools, pool_checks, backbones, jobs, attempts, seats, evaluations),
    # Scores come before the tailness of an image: their address is not that of an image.
    *(analyses, checkpoints, exports, records, rounds, scores, tailness, picks, compare, experiments),
    *(workers, kinds),
)


def _is_file(path: str, is_json: bool) -> bool:
    """Whether a body goes to disk as it arrives: uploads, and images that are sent to be scored."""
    if path.endswith("/ood-tailness/score"):
        return not is_json
    return path == "/api/v1/uploads" or path.startswith("/api/v1/resumable-uploads/")


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = get_settings()
    limit_waits(get_engine(), settings.lock_timeout_seconds, settings.statement_timeout_seconds)
    app.state.readiness = Readiness()
    app.state.scraped = Shared(health.scrape, "metrics")
    app.state.feed = EventFeed()
    app.state.wrong_tokens = WrongTokens()
    app.state.upload_places = Places()
    app.state.score_waits = Waits()
    app.state.open_until = 0.0
    yield
    await app.state.feed.close()
    app.state.readiness.close()


def create_app(dashboard: Path = frontend.BUILD, guide_pages: Path = guide.BUILD) -> FastAPI:
    """The application. It makes no connections before the first request."""
    app = FastAPI(
        title="COLT Studio",
        version=installed_version(),
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=openapi.operation_id,
        dependencies=[Depends(refuse_unexpected)],
    )
    api = APIRouter(
        prefix="/api/v1", dependencies=[Depends(bearer)]
    )  # for the OpenAPI document only: `Guarded` routes check the token
    for noun in _NOUNS:
        api.include_router(noun.router)
    app.include_router(api)
    app.include_router(sessions.router, prefix="/api/v1")
    app.include_router(health.router)
    app.include_router(docs.router)
    guide.install(app, guide_pages)
    frontend.install(app, dashboard)
    errors.install(app)
    openapi.install(app)
    settings = get_settings()
    app.add_middleware(errors.Uncaught)  # the innermost
    app.add_middleware(BodyLimit, is_file=_is_file, session="/api/v1/session")
    app.add_middleware(PageRules)
    app.add_middleware(
        Security,
        hosts={"localhost", "127.0.0.1", "[::1]", settings.host, f"[{settings.host}]", *settings.allowed_hosts},
    )
    app.add_middleware(Compression)
    app.add_middleware(CloseUnread)
    app.add_middleware(Requests)
    if settings.root_path:
        app.add_middleware(RootPath, root_path=settings.root_path)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)
    return app


app = create_app()
