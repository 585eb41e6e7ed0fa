"""Rules of scores."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api import queues
from api.checkpoint_work import service as checkpoint_work
from api.http.errors import Conflict, TooLarge, Unprocessable
from api.jobs.service import find_checkpoint
from api.jobs.service import lock as lock_job
from api.scores.schemas import ImagesToScore, ScoreInfo
from api.workers.service import lacking
from colt_core.config import PretrainConfig
from colt_core.samplers.kinds import RoundSettings
from store.models import Score
from store.repositories import checkpoint_work as work
from store.repositories import rounds, scores, turns, uploads
from store.settings import get_settings


def request(session: Session, job_id: str, wanted: ImagesToScore, submitter: str | None = None) -> str:
    """Queue the images of an upload to be scored.

    The checkpoint is that of the last sampling round whose weights are kept. In jobs of earlier
    versions there may be none; then it is the last checkpoint.

    Returns:
        The id of the score.

    Raises:
        NotFound: there is no such job.
        Conflict: the job has had no sampling round yet, or no live worker has its device.
        Unprocessable: the sampler has no rounds, or there is no such upload.
        TooLarge: the upload has more bytes than are scored at once.
        TooManyRequests: the token has too many that wait.
    """
    turns.lock(session, submitter)
    job = lock_job(session, job_id)
    sampler = PretrainConfig.from_stored(job.config).sampler
    if not isinstance(sampler, RoundSettings):
        what = f"the sampler '{sampler.kind}' has no sampling rounds, so the job scores no OOD images"
        raise Unprocessable(("", f"{what}; name a job with another sampler"))
    upload = uploads.lock(session, wanted.upload_id)
    if upload is None:
        raise Unprocessable(("/upload_id", "there is no such upload; send the images with POST /uploads"))
    if upload.bytes > (most := get_settings().score_max_bytes):
        raise TooLarge(f"The upload has {upload.bytes:,} bytes, and at most {most:,} are scored at once. Split it up.")
    found = scores.scored_by(session, job_id)
    if found is None and rounds.last(session, job_id) is None:
        raise Conflict("This job has had no sampling round yet. Ask again after its first round.")
    number, checkpoint = found or (None, find_checkpoint(session, job_id, None))
    if (lack := lacking(session, job.config.get("device", "auto"), num_processes=1)) is not None:
        raise Conflict(f"The job's device is '{job.config['device']}', but {lack[1]}. Start one, then ask again.")
    config = {"kind": Score.noun, "keep_upload": wanted.keep_upload, "nearest": wanted.nearest}
    row = work.add(
        session,
        Score,
        checkpoint,
        config,
        queues.place(session, Score, submitter),
        {"upload_id": upload.id, "round": number},
    )
    return row.id


def describe(session: Session, score_id: str) -> ScoreInfo:
    """What clients see of a score.

    Raises:
        NotFound: there is none.
    """
    return ScoreInfo.model_validate(checkpoint_work.find(session, Score, score_id))
