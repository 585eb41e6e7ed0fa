# Written by `make client` from the module of the same name in _async/. Change that one.
"""Scores of images that no run has seen."""

from __future__ import annotations

from contextlib import suppress

from colt_client._sync import io
from colt_client._sync.handles import Handle
from colt_client._sync.transport import Transport
from colt_client._sync.uploads import Uploads
from colt_client.bars import Progress
from colt_client.errors import AnswerError, ColtError
from colt_client.models import ScoreInfo
from colt_client.sources import Images, source_of_images


class Score(Handle[ScoreInfo]):
    """Images that are being scored."""

    noun, path, answer = "score", "/scores", ScoreInfo


def score(transport: Transport, job_id: str, images: Images, nearest: int, progress: Progress) -> ScoreInfo:
    """Upload images, and wait for their scores."""
    source, names = io.run(lambda: source_of_images(images))
    uploads = Uploads(transport)
    upload = uploads.send_source(source, progress=progress)
    try:
        body = {"upload_id": upload.id, "nearest": nearest}
        info = transport.post(ScoreInfo, f"/jobs/{job_id}/ood-tailness/score", body, repeatable=False)
    except AnswerError:
        with suppress(ColtError):
            uploads.delete(upload.id)  # nobody else will, if it is not used
        raise
    found = info if info.status == "succeeded" else (Score(transport, info).wait(progress=progress)).info
    if names is None:
        return found
    scores = [one.model_copy(update={"name": names[one.index]}) for one in found.scores or []]
    refused = [one.model_copy(update={"name": names[one.index]}) for one in found.refused or []]
    return found.model_copy(update={"scores": scores, "refused": refused})
