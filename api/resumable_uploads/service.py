"""Receives a file in parts, which are kept, and puts them together.

Each part is a file of its own, and the row says how far they reach. So a killed process loses the
part that it was writing, and of two writers at the same offset one is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress

import anyio.from_thread
import anyio.to_thread
from fastapi import HTTPException
from sqlalchemy.orm import Session
from starlette.requests import ClientDisconnect

from api.http.errors import Conflict, NoRoom, NotFound, TooLarge, TooSlow, Unprocessable, is_full
from api.resumable_uploads.schemas import NewResumableUpload, ResumableUploadInfo
from api.uploads.places import Place, Places
from api.uploads.service import check_quota, checked_filename, full
from store.artifacts import ArtifactsUnavailable, Stored, get_artifacts
from store.database import reading, writing
from store.models import UnfinishedUpload, Upload, UploadPart, new_id
from store.repositories import unfinished_uploads, uploads
from store.settings import get_settings

PART_BYTES = 16 * 2**20
MOST_UNFINISHED = 1000
MOST_PARTS = 10_000
_BLOCK = 2**20
_BROKEN_OFF = (ClientDisconnect, HTTPException, TooSlow)  # what has arrived before is good


def check_room(wanted: NewResumableUpload) -> None:
    """Check that the disk has room for the file now.

    Raises:
        Full: it has not.
    """
    room = get_artifacts().room()
    if room is not None and wanted.bytes > room:
        raise full(f"The file has {wanted.bytes} bytes, but there is room for {room} alone.")


def begin(session: Session, wanted: NewResumableUpload) -> ResumableUploadInfo:
    """Note a file that is to arrive.

    Raises:
        Unprocessable: the name is not allowed.
        TooLarge: it has more bytes than allowed.
        NoRoom: with it, the stored uploads would exceed their quota. Or too many are unfinished.
    """
    checked_filename(wanted.filename, "/filename")
    limit = min(get_settings().max_upload_bytes, get_settings().upload_quota_bytes)
    if wanted.bytes > limit:
        raise TooLarge(f"The file has {wanted.bytes} bytes, but at most {limit} are accepted.")
    check_quota(uploads.total_bytes(session) + wanted.bytes)
    if unfinished_uploads.count(session) >= MOST_UNFINISHED:
        raise NoRoom(f"{MOST_UNFINISHED} uploads are unfinished. Finish or delete some of them.")
    row = UnfinishedUpload(filename=wanted.filename, bytes=wanted.bytes, sha256=wanted.sha256)
    unfinished_uploads.add(session, row)
    return _unfinished(row)


def progress(session: Session, upload_id: str) -> ResumableUploadInfo:
    """How much has arrived.

    Raises:
        NotFound: there is no such upload.
    """
    row = unfinished_uploads.get(session, upload_id)
    if row is not None:
        return _unfinished(row)
    whole = uploads.get(session, upload_id)
    if whole is None:
        raise NotFound(f"There is no upload {upload_id[:64]}. Unfinished ones expire; begin another.")
    return _info(whole.id, whole.filename, whole.bytes, whole.bytes, True, uploads.last_used(whole))


def abandon(session: Session, upload_id: str) -> str:
    """Delete the row of an unfinished upload.

    Returns:
        The key of its folder, to be deleted after the commit.

    Raises:
        NotFound: there is no such upload, or it is complete.
    """
    row = unfinished_uploads.lock(session, upload_id)
    if row is None:
        raise NotFound(f"There is no unfinished upload {upload_id[:64]}.")
    unfinished_uploads.remove(session, row)
    return _folder(upload_id)


async def append(
    upload_id: str, offset: int, declared: int | None, body: AsyncIterator[bytes], places: Places, client: str
) -> ResumableUploadInfo:
    """Keep what arrives of a file from `offset` on, and complete the upload if that was all.

    Args:
        declared: bytes of the body, if announced.
        client: whom the place counts for.

    Raises:
        NotFound: there is no such upload.
        Conflict: the offset is not where the stored bytes end. The header has that.
        TooLarge: more arrives than was announced at the beginning.
        TooSlow: it arrives too slowly.
        NoRoom: with it, the stored uploads would exceed their quota.
        TooManyRequests, Busy: too many other uploads are in progress.
        Full: there is no room for it above the disk's floor. What has arrived is kept.
        Unprocessable: the whole file has another digest than announced, or too many parts.
    """

    def store(place: Place) -> ResumableUploadInfo:
        with reading() as session:
            found = progress(session, upload_id)
        if offset != found.offset:
            raise _mismatch(offset, found.offset)
        if found.complete:
            return found
        if (declared or 0) > found.bytes - offset:
            raise TooLarge(f"Only {found.bytes - offset} bytes of the file are missing, and more were sent.")
        try:
            _Receiver(upload_id, found.bytes, body, places, place).receive(offset)
            with reading() as session:
                found = progress(session, upload_id)
            return _put_together(upload_id) if found.offset == found.bytes and not found.complete else found
        except ArtifactsUnavailable as error:
            if is_full(error):
                raise full("What has arrived is kept.") from error
            raise

    # A thread of its own for each, so that slow clients do not block the rest of the API.
    async with places.take(client, 0, get_settings().uploads_per_client) as place:
        return await anyio.to_thread.run_sync(store, place, limiter=anyio.CapacityLimiter(1))


class _Receiver:
    """Writes the parts of one request."""

    def __init__(self, upload_id: str, size: int, body: AsyncIterator[bytes], places: Places, place: Place) -> None:
        self._upload_id = upload_id
        self._size = size
        self._body = body
        self._places = places
        self._place = place
        self._broken_off: Exception | None = None

    def receive(self, offset: int) -> None:
        """Keep the body, part by part. If it breaks off, what has arrived is kept.

        Raises:
            Whatever broke it off.
        """
        while first := self._next():
            offset += self._keep(offset, first)
            if self._broken_off is not None:
                break
        if self._broken_off is not None:
            raise self._broken_off

    def _keep(self, start: int, first: bytes) -> int:
        """Store one part, and return its size."""
        with reading() as session:
            stored = uploads.total_bytes(session)
            if unfinished_uploads.count_parts(session, self._upload_id) >= MOST_PARTS:
                raise Unprocessable(("", f"the file has {MOST_PARTS:,} parts; begin again, with larger requests"))
        key = f"{_folder(self._upload_id)}/parts/{start}-{new_id()}"
        part = get_artifacts().write(key, self._blocks(start, first, stored))
        row = UploadPart(upload_id=self._upload_id, start=start, bytes=part.bytes, artifact=key)
        with writing() as session:
            kept = unfinished_uploads.append(session, row)
        if not kept:
            get_artifacts().delete(key)
            with reading() as session:
                raise _mismatch(start, progress(session, self._upload_id).offset)
        self._place.bytes = 0  # they count as stored now
        return part.bytes

    def _blocks(self, start: int, block: bytes, stored: int) -> Iterator[bytes]:
        arrived = 0
        while block:
            arrived += len(block)
            if start + arrived > self._size:
                raise TooLarge(f"More than the {self._size} bytes of the file arrived.")
            self._place.bytes = arrived
            check_quota(stored + self._places.arriving())
            yield block
            if arrived >= PART_BYTES:
                return
            block = self._next()

    def _next(self) -> bytes:
        try:
            return anyio.from_thread.run(self._piece)
        except _BROKEN_OFF as error:
            self._broken_off = error
            return b""

    async def _piece(self) -> bytes:
        return await anext(self._body, b"")


def _put_together(upload_id: str) -> ResumableUploadInfo:
    """Write the file from its parts. Two requests may do so at once: they write the same."""
    with reading() as session:
        row, parts = unfinished_uploads.get(session, upload_id), unfinished_uploads.parts(session, upload_id)
        if row is None:  # another request was faster
            return progress(session, upload_id)
    key = f"{_folder(upload_id)}/{checked_filename(row.filename)}"
    try:
        stored = get_artifacts().write(key, _bytes_of(parts))
    except FileNotFoundError:
        with reading() as session:
            found = progress(session, upload_id)
        if found.complete:  # another request was faster, and has deleted the parts
            return found
        raise
    if row.sha256 not in (None, stored.sha256):
        _refuse(upload_id, row.sha256, stored)
    whole = Upload(id=upload_id, filename=row.filename, bytes=stored.bytes, sha256=stored.sha256, artifact=key)
    with writing() as session:
        locked = unfinished_uploads.lock(session, upload_id)
        if locked is not None:
            unfinished_uploads.complete(session, locked, whole)
        found = progress(session, upload_id)
    with suppress(ArtifactsUnavailable):  # what stays is deleted with the upload
        get_artifacts().delete(f"{_folder(upload_id)}/parts")
    return found


def _refuse(upload_id: str, announced: str | None, stored: Stored) -> None:
    with writing() as session:
        folder = abandon(session, upload_id)
    get_artifacts().delete(folder)
    raise Unprocessable(
        ("", f"the sha256 of the file is {stored.sha256}, not {announced} as announced; it was not kept, send it again")
    )


def _bytes_of(parts: Sequence[UploadPart]) -> Iterator[bytes]:
    for part in parts:
        with get_artifacts().open(part.artifact) as file:
            while block := file.read(_BLOCK):
                yield block


def _mismatch(given: int, expected: int) -> Conflict:
    what = f"{expected} bytes of the file have arrived, and the request begins at {given}"
    return Conflict(f"{what}. Send it from byte {expected} on.", {"Upload-Offset": str(expected)})


def _unfinished(row: UnfinishedUpload) -> ResumableUploadInfo:
    return _info(row.id, row.filename, row.bytes, row.arrived, False, row.touched_at)


def _info(id_: str, filename: str, size: int, offset: int, complete: bool, at: dt.datetime) -> ResumableUploadInfo:
    expires_at = at + dt.timedelta(seconds=get_settings().upload_expire_seconds)
    return ResumableUploadInfo(
        id=id_, filename=filename, bytes=size, offset=offset, complete=complete, expires_at=expires_at
    )


def _folder(upload_id: str) -> str:
    return f"uploads/{upload_id}"
