"""Downloads of files from the artifact store, with ranges and ETags."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from api.http.errors import NotFound, RangeNotSatisfiable
from store.artifacts import ArtifactDamaged, get_artifacts

_BLOCK = 2**20


def file_response(
    request: Request, key: str, etag: str, filename: str, sha256: str | None, written: int | None = None
) -> Response:
    """Answer GET or HEAD for the file under `key`, with `Range`, `If-Range` and `If-None-Match`.

    Args:
        sha256: hash of what was written, if recorded. The last block of a damaged file is not sent,
            so that nobody takes the file for a good one.
        written: size in bytes of what was written, if recorded.

    Raises:
        NotFound: the file is missing, or has another size than was written.
        RangeNotSatisfiable: the range begins after the end of the file.
    """
    headers = _headers(etag)
    if _matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    try:
        size = get_artifacts().size(key)
    except FileNotFoundError as error:
        raise NotFound("This file is no longer stored.") from error
    if written is not None and size != written:
        raise NotFound(f"This file is damaged: {size} of {written} bytes are stored. Download another checkpoint.")
    status, start, end = _describe_part(request, headers, filename, size)
    headers["Content-Length"] = str(end - start)
    media_type = "application/octet-stream"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    return StreamingResponse(
        _read(key, start, end, sha256 if (start, end) == (0, size) else None), status, headers, media_type
    )


def text_response(request: Request, text: bytes, filename: str) -> Response:
    """Answer GET for a text that is in memory, as `file_response` does for a file.

    Raises:
        RangeNotSatisfiable: the range begins after the end of the text.
    """
    headers = _headers(hashlib.sha256(text).hexdigest())
    if _matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    status, start, end = _describe_part(request, headers, filename, len(text))
    return Response(text[start:end], status, headers, "text/plain")


def _headers(etag: str) -> dict[str, str]:
    return {"ETag": f'"{etag}"', "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}


def _describe_part(request: Request, headers: dict[str, str], filename: str, size: int) -> tuple[int, int, int]:
    """Add the headers of the part that is asked for.

    Returns:
        (status, first byte, byte after the last)
    """
    headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    asked = request.headers.get("range", "")
    if request.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        asked = ""
    part = _parse_range(asked, size)
    if part is None:
        return 200, 0, size
    headers["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{size}"
    return 206, *part


def _read(key: str, start: int, end: int, sha256: str | None) -> Iterator[bytes]:
    """Blocks of the file. The last one is yielded only if the file has this hash.

    Raises:
        ArtifactDamaged: the hash is another. The response then ends before its announced length.
    """
    digest = hashlib.sha256()
    with get_artifacts().open(key) as file:
        file.seek(start)
        left = end - start
        while left and (block := file.read(min(left, _BLOCK))):
            left -= len(block)
            if sha256 is not None:
                digest.update(block)
                if not left and digest.hexdigest() != sha256:
                    raise ArtifactDamaged(key)
            yield block


def _matches(header: str, quoted: str) -> bool:
    return header.strip() == "*" or quoted in [tag.strip().removeprefix("W/") for tag in header.split(",")]


def _parse_range(header: str, size: int) -> tuple[int, int] | None:
    """(start, end) of the requested range. None means the whole file, also when several ranges are
    requested."""
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", header.replace(" ", ""))
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), size if not last else min(int(last) + 1, size)
        if last and int(last) < start:  # not a range at all (RFC 9110, section 14.1.1)
            return None
    if start >= size or start >= end:
        raise RangeNotSatisfiable(
            f"The file has only {size} bytes. Request a range within them.", {"Content-Range": f"bytes */{size}"}
        )
    return start, end
