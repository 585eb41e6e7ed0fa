"""Receives files straight into the artifact store."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncIterator, Collection, Iterator

import anyio.from_thread
import anyio.to_thread
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.http.errors import Conflict, Full, NoRoom, NotFound, TooLarge, Unprocessable, is_full
from api.uploads.places import Place, Places
from api.uploads.schemas import UploadInfo
from colt_core.backbones.spec import WEIGHT_ENDINGS
from colt_core.data.layouts.kinds import dataset_endings, pool_endings
from colt_core.data.lists import LIST_ENDINGS
from colt_core.printed import UNPRINTED
from store.artifacts import ArtifactsUnavailable, get_artifacts
from store.database import reading, writing
from store.models import Upload, new_id
from store.repositories import uploads
from store.settings import get_settings

ENDINGS = tuple(dict.fromkeys([*pool_endings(), *dataset_endings(), *LIST_ENDINGS, *WEIGHT_ENDINGS]))


def checked_filename(filename: str, pointer: str = "?filename") -> str:
    """The file's name, made safe to be part of a key.

    Args:
        filename: as the client calls it.
        pointer: to the name in the request.

    Raises:
        Unprocessable: it is a path, has characters that hide what it is, or has an ending that no
            reader knows.
    """
    if not re.fullmatch(r"[^/\\:]{1,200}", filename) or filename.startswith("."):
        raise Unprocessable((pointer, "must be a file name without a path, of at most 200 characters"))
    if re.search(f"[{UNPRINTED}]", filename):
        raise Unprocessable((pointer, "has control characters, or some that turn text around; rename the file"))
    if not filename.lower().endswith(ENDINGS):
        raise Unprocessable((pointer, f"must end in one of {', '.join(ENDINGS)}"))
    return re.sub(r"[^A-Za-z0-9._-]", "_", filename)


async def receive(
    filename: str,
    declared_bytes: int | None,
    body: AsyncIterator[bytes],
    places: Places,
    client: str,
    most_bytes: int | None = None,
) -> Upload:
    """Store `body` under a new id. If it does not arrive completely, nothing is kept.

    Args:
        client: whom the place counts for.
        most_bytes: fewer than those of any upload; None for these.

    Raises:
        Unprocessable: the name is not allowed, or the body is empty.
        TooLarge: more bytes than allowed are announced or arrive.
        TooSlow: they arrive too slowly.
        NoRoom: with this file, the stored uploads would exceed their quota.
        TooManyRequests, Busy: too many other uploads are in progress.
        Full: there is no room for it above the disk's floor.
    """
    safe_name = checked_filename(filename)
    settings = get_settings()
    limit = min(settings.max_upload_bytes, settings.upload_quota_bytes, most_bytes or settings.max_upload_bytes)
    if declared_bytes is not None and declared_bytes > limit:
        raise TooLarge(f"The file has {declared_bytes} bytes, but at most {limit} are accepted.")
    room = await anyio.to_thread.run_sync(get_artifacts().room)
    if room is not None and (declared_bytes or 0) > room:
        raise full(f"The file has {declared_bytes} bytes, but there is room for {room} alone. Nothing was kept.")

    async def next_chunk() -> bytes:
        return await anext(body, b"")

    def chunks(place: Place) -> Iterator[bytes]:
        with reading() as session:
            stored = uploads.total_bytes(session)
        arrived = 0
        check_quota(stored + places.arriving())
        while chunk := anyio.from_thread.run(next_chunk):
            arrived += len(chunk)
            if arrived > limit:
                raise TooLarge(f"More than {limit} bytes arrived, but at most that many are accepted.")
            place.bytes = max(place.bytes, arrived)
            check_quota(stored + places.arriving())
            yield chunk
        if arrived == 0:
            raise Unprocessable(("", "The body is empty. Send the file itself, such as with curl --data-binary @FILE."))

    def store(place: Place) -> Upload:
        upload_id = new_id()
        folder = f"uploads/{upload_id}"
        try:
            stored = get_artifacts().write(f"{folder}/{safe_name}", chunks(place))
            upload = Upload(
                id=upload_id,
                filename=filename,
                bytes=stored.bytes,
                sha256=stored.sha256,
                artifact=f"{folder}/{safe_name}",
            )
            with writing() as session:
                check_quota(uploads.total_bytes(session) + stored.bytes)  # others have ended meanwhile
                uploads.add(session, upload)
        except SQLAlchemyError:  # the row may have been stored after all; if not, the file is swept later
            raise
        except BaseException as error:
            get_artifacts().delete(folder)
            if isinstance(error, ArtifactsUnavailable) and is_full(error):
                raise full("The file did not fit. Nothing was kept.") from error
            raise
        return upload

    # A thread of its own for each, so that slow clients do not block the rest of the API.
    async with places.take(client, declared_bytes or 0, settings.uploads_per_client) as place:
        return await anyio.to_thread.run_sync(store, place, limiter=anyio.CapacityLimiter(1))


def check_quota(total: int) -> None:
    """Check the bytes of all uploads, stored and arriving.

    Raises:
        NoRoom: they are more than the quota.
    """
    settings = get_settings()
    if total > settings.upload_quota_bytes:
        raise NoRoom(
            f"With this file, the stored uploads would have {total} bytes; at most {settings.upload_quota_bytes} are "
            "kept. Delete those that you no longer need (GET and DELETE /api/v1/uploads). Those that no registration "
            f"uses for {settings.upload_expire_seconds / 86_400:g} days are removed by themselves."
        )


def find(session: Session, upload_id: str) -> Upload:
    """The upload.

    Raises:
        NotFound: there is none.
    """
    upload = uploads.get(session, upload_id)
    if upload is None:
        raise NotFound(f"There is no upload {upload_id[:64]}.")
    return upload


def describe(upload: Upload, awaited: Collection[str]) -> UploadInfo:
    """What clients see of an upload. `awaited` are the ids of those that are being read."""
    expires_at = uploads.last_used(upload) + dt.timedelta(seconds=get_settings().upload_expire_seconds)
    return UploadInfo(
        id=upload.id,
        filename=upload.filename,
        bytes=upload.bytes,
        sha256=upload.sha256,
        created_at=upload.created_at,
        used_at=upload.used_at,
        in_use=upload.id in awaited,
        expires_at=expires_at,
    )


def full(what: str) -> Full:
    """The error of a file that the disk has no room for."""
    kept = f"{get_settings().disk_floor:.0%} of it stay free"
    return Full(f"The disk of the artifact store is full: {kept}. {what} Try again later.")


def remove(session: Session, upload_id: str) -> str:
    """Delete the row of an upload.

    Returns:
        The key of its folder, to be deleted after the commit.

    Raises:
        NotFound: there is no such upload.
        Conflict: a registration still reads it.
    """
    upload = uploads.lock(session, upload_id)
    if upload is None:
        raise NotFound(f"There is no upload {upload_id[:64]}.")
    if uploads.is_awaited(session, upload_id):
        raise Conflict("A registration or a score is to read this upload. Delete it when that has ended.")
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
