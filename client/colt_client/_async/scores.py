"""Scores of images that no run has seen."""

from __future__ import annotations

from contextlib import suppress

from colt_client._async import io
from colt_client._async.handles import AsyncHandle
from colt_client._async.transport import AsyncTransport
from colt_client._async.uploads import AsyncUploads
from colt_client.bars import Progress
from colt_client.errors import AnswerError, ColtError
from colt_client.models import ScoreInfo
from colt_client.sources import Images, source_of_images


class AsyncScore(AsyncHandle[ScoreInfo]):
    """Images that are being scored."""

    noun, path, answer = "score", "/scores", ScoreInfo


async def score(transport: AsyncTransport, job_id: str, images: Images, nearest: int, progress: Progress) -> ScoreInfo:
    """Upload images, and wait for their scores."""
    source, names = await io.run(lambda: source_of_images(images))
    uploads = AsyncUploads(transport)
    upload = await uploads.send_source(source, progress=progress)
    try:
        body = {"upload_id": upload.id, "nearest": nearest}
        info = await transport.post(ScoreInfo, f"/jobs/{job_id}/ood-tailness/score", body, repeatable=False)
    except AnswerError:
        with suppress(ColtError):
            await uploads.delete(upload.id)  # nobody else will, if it is not used
        raise
    found = info if info.status == "succeeded" else (await AsyncScore(transport, info).wait(progress=progress)).info
    if names is None:
        return found
    scores = [one.model_copy(update={"name": names[one.index]}) for one in found.scores or []]
    refused = [one.model_copy(update={"name": names[one.index]}) for one in found.refused or []]
    return found.model_copy(update={"scores": scores, "refused": refused})
