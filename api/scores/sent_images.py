"""Images that are sent in the request for their scores.

They are stored first, as an upload. The request is then handled as one that names this upload.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header
from starlette.datastructures import MutableHeaders
from starlette.types import Message

from api.http.clients import client_of
from api.http.errors import Conflict, NotFound, TooLarge, Unprocessable, UnsupportedMediaType
from api.http.outbox import Outbox
from api.http.threads import in_thread
from api.http.unread import is_announced
from api.uploads import service as uploads
from api.uploads.routes import streamed_body
from colt_core.data.layouts.kinds import pool_endings
from colt_core.data.names import IMAGE_SUFFIXES
from colt_core.printed import UNPRINTED
from store.artifacts import get_artifacts
from store.database import writing
from store.settings import get_settings

_FILE = {"type": "string", "format": "binary"}
BODIES = {
    "requestBody": {
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "additionalProperties": {"type": "array", "items": _FILE}}
            },
            "application/octet-stream": {"schema": _FILE},
        }
    }
}
_LONGEST_NAME = 200
_TAR_MAGIC = slice(257, 262)


def are_in(request: Request) -> bool:
    """Whether the body is images, rather than JSON that names an upload."""
    kind = request.headers.get("content-type", "").lower()
    return is_announced(request.headers) and kind != "" and "json" not in kind


@asynccontextmanager
async def uploaded(request: Request) -> AsyncIterator[Request]:
    """The same request with a body that names the upload. If it is refused, the upload goes.

    Raises:
        UnsupportedMediaType: the body is no file whose format is known, and no form.
        Unprocessable: the form is damaged, or has something that is no image file.
        TooLarge, TooSlow, NoRoom, TooManyRequests, Busy, Full: as for any upload.
    """
    declared, body = streamed_body(request)
    kind, options = parse_options_header(request.headers["content-type"])
    if kind == "multipart/form-data":
        declared = None
        filename, body = await _of_form(body, options.get("boundary", ""))
    else:
        filename, body = await _of_file(body)
    places, client = request.app.state.upload_places, client_of(request)
    upload = await uploads.receive(filename, declared, body, places, client, get_settings().score_max_bytes)
    try:
        yield _naming(upload.id, request)
    except BaseException:
        await in_thread(_remove, upload.id)
        raise


async def _of_file(body: AsyncIterator[bytes]) -> tuple[str, AsyncIterator[bytes]]:
    """A name that says what the file is, and its bytes."""
    head = await anext(body, b"")
    if head.startswith(b"PK\x03\x04"):  # an npz is a zip whose members are npy files
        ending = "npz" if head[30 : 30 + int.from_bytes(head[26:28], "little")].endswith(b".npy") else "zip"
    elif head.startswith(b"\x93NUMPY"):
        ending = "npy"
    elif head.startswith(b"\x1f\x8b"):
        ending = "tar.gz"
    elif head[_TAR_MAGIC] == b"ustar":
        ending = "tar"
    else:
        raise UnsupportedMediaType(
            "The body is no zip, tar, tar.gz, npz or npy. Send one of these, image files as a form (with curl: "
            "-F image=@a.png), or JSON that names an upload."
        )
    return f"images.{ending}", _after(head, body)


async def _of_form(body: AsyncIterator[bytes], boundary: str) -> tuple[str, AsyncIterator[bytes]]:
    """The same of a form. Image files are put into a zip. An archive, npz or npy stays as it is."""
    events = _events(body, boundary)
    first = await anext(events, None)
    if not isinstance(first, MultipartSegment):
        raise Unprocessable(("", "the form is empty; send image files, such as with curl -F image=@a.png"))
    name = _filename(first)
    if name.lower().endswith(pool_endings()):
        return name, _one_file(name, events)
    return "images.zip", _zipped(first, events)


async def _events(
    body: AsyncIterator[bytes], boundary: str
) -> AsyncGenerator[MultipartSegment | bytes | bytearray | None, None]:
    """Of each part of a form: its head, pieces of its content, and None at its end."""
    try:
        with PushMultipartParser(boundary, max_segment_count=get_settings().score_max_images, strict=True) as parser:
            async for block in body:
                for event in parser.parse(block):
                    yield event
    except ParserLimitReached:
        raise TooLarge(
            f"The form has more than {get_settings().score_max_images:,} parts, and no more images are scored at "
            "once. Split them up."
        ) from None
    except MultipartError as error:
        raise Unprocessable(("", f"the form cannot be read ({error}); send it again")) from None


async def _one_file(
    name: str, events: AsyncIterator[MultipartSegment | bytes | bytearray | None]
) -> AsyncIterator[bytes]:
    async for event in events:
        if isinstance(event, MultipartSegment):
            raise Unprocessable(("", f"beside {name!r} the form has more; send an archive, npz or npy alone"))
        if event:
            yield bytes(event)


async def _zipped(
    first: MultipartSegment, events: AsyncIterator[MultipartSegment | bytes | bytearray | None]
) -> AsyncIterator[bytes]:
    """The files of a form as an uncompressed zip, piece by piece."""
    outbox, names = Outbox(), set[str]()
    with zipfile.ZipFile(outbox, "w") as archive:
        file = archive.open(_image_name(first, names), "w")
        try:
            async for event in events:
                if isinstance(event, MultipartSegment):
                    file = archive.open(_image_name(event, names), "w")
                elif event is None:
                    file.close()
                else:
                    file.write(event)
                    yield outbox.take()
        finally:
            file.close()
    yield outbox.take()


def _image_name(part: MultipartSegment, names: set[str]) -> str:
    """The name of the part's file, which is added to `names`."""
    name = _filename(part)
    if not name.lower().endswith(tuple(IMAGE_SUFFIXES)):
        endings = ", ".join(sorted(IMAGE_SUFFIXES))
        raise Unprocessable((f"/{part.name[:64]}", f"{name!r} is no image; names must end in {endings}"))
    if name in names:
        raise Unprocessable((f"/{part.name[:64]}", f"two files are named {name!r}; give each a name of its own"))
    names.add(name)
    return name


def _filename(part: MultipartSegment) -> str:
    if not part.filename:
        raise Unprocessable((f"/{part.name[:64]}", "is no file; options belong in the query, such as ?nearest=3"))
    name = re.split(r"[/\\]", part.filename)[-1]
    if not 0 < len(name) <= _LONGEST_NAME or name.startswith(".") or re.search(f"[{UNPRINTED}]", name):
        raise Unprocessable(
            (f"/{part.name[:64]}", f"a file needs a visible name of at most {_LONGEST_NAME} characters; rename it")
        )
    return name


async def _after(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for block in rest:
        yield block


def _naming(upload_id: str, request: Request) -> Request:
    content = json.dumps({"upload_id": upload_id}).encode()
    scope = dict(request.scope) | {"headers": list(request.scope["headers"])}
    headers = MutableHeaders(scope=scope)
    headers["content-type"], headers["content-length"] = "application/json", str(len(content))

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    return Request(scope, receive)


def _remove(upload_id: str) -> None:
    try:
        with writing() as session:
            folder = uploads.remove(session, upload_id)
    except (NotFound, Conflict):  # it was scored, or still is to be
        return
    get_artifacts().delete(folder)
