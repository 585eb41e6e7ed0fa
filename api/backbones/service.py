"""Rules of backbones."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from api import registration
from api.backbones.schemas import NewBackbone
from api.http.errors import Unprocessable
from api.jobs.service import find as find_job
from colt_core.backbones.spec import MOST_BYTES, STEM, WEIGHT_ENDINGS, WIDTH, CheckpointWeights, WeightsUpload
from colt_core.config import PretrainConfig
from colt_core.pixels import MEAN, STD
from store.models import BackboneWeights
from store.repositories import checkpoints


def register(session: Session, wanted: NewBackbone, submitter: str | None = None) -> BackboneWeights:
    """Queue the registration of a backbone.

    Args:
        submitter: id of the token that asks; None without a token.

    Raises:
        TooManyRequests: the token has too many that wait.
        Unprocessable: the upload or the checkpoint does not exist, or the settings do not go with
            it.
    """
    source, size = wanted.source, 0
    given = wanted.model_dump(mode="json", exclude={"name", "source"}, exclude_none=True)
    defaults: dict[str, Any] = {"width": WIDTH, "stem": STEM, "mean": list(MEAN), "std": list(STD)}
    if isinstance(source, CheckpointWeights):
        own = defaults | _trained(session, source.checkpoint_id)
        wrong = [
            (f"/{name}", f"the checkpoint's is {own[name]}: leave it out") for name in given if given[name] != own[name]
        ]
        if wrong:
            raise Unprocessable(*wrong)
        given = own
    elif wanted.backbone is None:
        raise Unprocessable(("/backbone", "is required: only a checkpoint says what it is of"))
    if isinstance(source, WeightsUpload):
        size = registration.check_upload(session, source.upload_id, "/source/upload_id", WEIGHT_ENDINGS)
        if size > MOST_BYTES:
            what = f"the file has {size:,} bytes, and at most {MOST_BYTES:,} are read: leave the optimiser out"
            raise Unprocessable(("/source/upload_id", what))
    spec = {"source": source.model_dump(mode="json"), **defaults, **given}
    return registration.queue(session, BackboneWeights(name=wanted.name, spec=spec), submitter, size)


def _trained(session: Session, checkpoint_id: str) -> dict[str, Any]:
    checkpoint = checkpoints.get(session, checkpoint_id)
    if checkpoint is None:
        listed = "GET /jobs/ID/checkpoints lists those of a job"
        raise Unprocessable(("/source/checkpoint_id", f"there is no such checkpoint; {listed}"))
    return PretrainConfig.from_stored(find_job(session, checkpoint.job_id).config).architecture._asdict()
