"""Scores: the tailness of images that no run has seen."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.routing import Match
from starlette.types import Scope

from api.access.auth import Guarded, authorize
from api.checkpoint_work.routes import steering
from api.http.after_commit import ring_now
from api.http.clients import token_id
from api.http.errors import Unprocessable, problems
from api.http.threads import in_thread
from api.scores import sent_images, service
from api.scores.schemas import ImagesToScore, ScoreInfo
from colt_core.samplers.kinds import MOST_NEAREST
from store.database import reading, writing
from store.models import Score
from store.repositories import scores
from store.statuses import FINAL, WorkStatus


class _ScoreRoute(Guarded):
    """A route that also takes the images themselves.

    It answers other methods too, by 405. Else `score` would be read as the index of an image
    (`/ood-tailness/{index}`).
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return Match.FULL if match is Match.PARTIAL else match, found

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def keep_and_handle(request: Request) -> Response:
            if not sent_images.are_in(request):
                return await handle(request)
            await authorize(request)
            async with sent_images.uploaded(request) as named:
                return await handle(named)

        return keep_and_handle


router = APIRouter(tags=["tailness"], route_class=_ScoreRoute)
_DONE: dict[int | str, dict[str, Any]] = {200: {"model": ScoreInfo, "description": "The scores."}}


@router.post(
    "/jobs/{job_id}/ood-tailness/score",
    status_code=202,
    responses=_DONE | problems(404, 408, 409, 413, 415, 429, 503, 507),
    response_model=ScoreInfo,
    openapi_extra=sent_images.BODIES,
)
async def score_images(
    job_id: str,
    wanted: ImagesToScore,
    request: Request,
    response: Response,
    wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for the scores.")] = 10,
    nearest: Annotated[
        int | None, Query(ge=0, le=MOST_NEAREST, description="Overrides `nearest` of the body; for images sent here.")
    ] = None,
) -> ScoreInfo:
    """Score images that the run has not seen, as a sampling round scores those of its pool.

    Name an upload, or send the images here: image files as a form, or one archive, npz or npy as
    the body. With curl: `curl -F image=@a.png -F image=@b.png URL`, or
    `curl --data-binary @images.npz URL`.

    The weights are those of the job's last sampling round. Images are resized as those of the
    pool were. Images that cannot be used are listed in `refused`, each with the reason. At most
    10,000 images and 256 MiB are scored at once (COLT_SCORE_MAX_IMAGES, COLT_SCORE_MAX_BYTES).

    If the scores are there within `wait`, the answer is 200. Otherwise it is 202; ask for the score
    again at `Location`, for a day.
    """

    if nearest is not None:
        wanted = wanted.model_copy(update={"nearest": nearest})

    def queue() -> str:
        with writing() as session:
            return service.request(session, job_id, wanted, token_id(request))

    def has_ended() -> bool:
        with reading() as session:
            status = scores.status(session, score_id)
        return status is None or status in FINAL

    def shown() -> ScoreInfo:
        with reading() as session:
            return service.describe(session, score_id)

    score_id = await in_thread(queue)
    await ring_now(Score.bell)
    done = await request.app.state.score_waits.until(lambda: in_thread(has_ended), wait)
    found = await in_thread(shown)
    if done and found.status == WorkStatus.FAILED:
        raise Unprocessable(("/upload_id", found.error or "the images could not be scored"))
    response.headers["Location"] = f"/api/v1/scores/{score_id}"
    response.status_code = 200 if done else 202
    return found


router.include_router(steering(Score, ScoreInfo))
