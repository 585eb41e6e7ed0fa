"""Receives files straight into the artifact store."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import anyio.from_thread
import anyio.to_thread
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.http.errors import Busy, Conflict, Full, NotFound, TooLarge, Unprocessable, is_full
from colt_core.data.layouts.kinds import dataset_endings, pool_endings
from colt_core.data.lists import LIST_ENDINGS
from store.artifacts import ArtifactsUnavailable, get_artifacts
from store.database import writing
from store.models import Upload, new_id
from store.repositories import uploads
from store.settings import get_settings

ENDINGS = tuple(dict.fromkeys([*pool_endings(), *dataset_endings(), *LIST_ENDINGS]))
# Each upload in progress holds a thread of its own, so that slow clients do not block the rest of
# the API.
MOST_AT_ONCE = 8
WAIT_SECONDS = 5.0  # for one of these places
RETRY_SECONDS = 10
_places = anyio.Semaphore(MOST_AT_ONCE)


def checked_filename(filename: str) -> str:
    """The file's name, made safe to be part of a key.

    Raises:
        Unprocessable: it is a path, has control characters, or has an ending that no reader knows.
    """
    if not re.fullmatch(r"[^/\\:\x00-\x1f\x7f]{1,200}", filename) or filename.startswith("."):
        raise Unprocessable(("?filename", "must be a file name without a path, of at most 200 characters"))
    if not filename.lower().endswith(ENDINGS):
        raise Unprocessable(("?filename", f"must end in one of {', '.join(ENDINGS)}"))
    return re.sub(r"[^A-Za-z0-9._-]", "_", filename)


async def receive(filename: str, declared_bytes: int | None, body: AsyncIterator[bytes]) -> Upload:
    """Store `body` under a new id. If it does not arrive completely, nothing is kept.

    Raises:
        Unprocessable: the name is not allowed, or the body is empty.
        TooLarge: more bytes than allowed are announced or arrive.
        Busy: too many other uploads are in progress.
        Full: there is no room for it above the disk's floor.
    """
    safe_name = checked_filename(filename)
    limit = get_settings().max_upload_bytes
    if declared_bytes is not None and declared_bytes > limit:
        raise TooLarge(f"The file has {declared_bytes} bytes, but at most {limit} are accepted.")
    room = await anyio.to_thread.run_sync(get_artifacts().room)
    if room is not None and (declared_bytes or 0) > room:
        raise _full(f"The file has {declared_bytes} bytes, but there is room for {room} alone.")

    async def next_chunk() -> bytes:
        return await anext(body, b"")

    def chunks() -> Iterator[bytes]:
        arrived = 0
        while chunk := anyio.from_thread.run(next_chunk):
            arrived += len(chunk)
            if arrived > limit:
                raise TooLarge(f"More than {limit} bytes arrived, but at most that many are accepted.")
            yield chunk
        if arrived == 0:
            raise Unprocessable(("", "The body is empty. Send the file itself, such as with curl --data-binary @FILE."))

    def store() -> Upload:
        upload_id = new_id()
        folder = f"uploads/{upload_id}"
        try:
            stored = get_artifacts().write(f"{folder}/{safe_name}", chunks())
            upload = Upload(
                id=upload_id,
                filename=filename,
                bytes=stored.bytes,
                sha256=stored.sha256,
                artifact=f"{folder}/{safe_name}",
            )
            with writing() as session:
                uploads.add(session, upload)
        except SQLAlchemyError:  # the row may have been stored after all; if not, the file is swept later
            raise
        except BaseException as error:
            get_artifacts().delete(folder)
            if isinstance(error, ArtifactsUnavailable) and is_full(error):
                raise _full("The file did not fit.") from error
            raise
        return upload

    try:
        with anyio.fail_after(WAIT_SECONDS):
            await _places.acquire()
    except TimeoutError:
        raise Busy(f"{MOST_AT_ONCE} uploads are in progress. Send this one again later.", RETRY_SECONDS) from None
    try:
        return await anyio.to_thread.run_sync(store, limiter=anyio.CapacityLimiter(1))
    finally:
        _places.release()


def _full(what: str) -> Full:
    kept = f"{get_settings().disk_floor:.0%} of it stay free"
    return Full(f"The disk of the artifact store is full: {kept}. {what} Nothing was kept; try again later.")


def remove(session: Session, upload_id: str) -> str:
    """Delete the row of an upload.

    Returns:
        The key of its folder, to be deleted after the commit.

    Raises:
        NotFound: there is no such upload.
        Conflict: a registration still reads it.
    """
    upload = uploads.get(session, upload_id)
    if upload is None:
        raise NotFound(f"There is no upload {upload_id[:64]}.")
    if uploads.is_awaited(session, upload_id):
        raise Conflict("A registration is reading this upload. Delete it when the registration has ended.")
    uploads.remove(session, upload)
    return f"uploads/{upload_id}"


async def in_blocks(body: AsyncIterator[bytes], size: int = 2**20) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at least `size`, except the last. Fewer pieces change threads
    less often."""
    block = bytearray()
    async for chunk in body:
        block += chunk
        if len(block) >= size:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
