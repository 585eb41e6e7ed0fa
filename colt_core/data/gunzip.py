"""Unpacks untrusted gzips: in memory, or as a stream."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import IO, BinaryIO, cast

from colt_core.data.errors import DataError
from colt_core.data.limits import Limits, Meter

_BLOCK = 2**20
_MAGIC = b"\x1f\x8b"


def is_gzip(content: bytes) -> bool:
    """Whether the bytes begin as a gzip does."""
    return content.startswith(_MAGIC)


def gunzipped(content: bytes, name: str, limits: Limits) -> bytes:
    """The unpacked bytes. Their number is limited while they are unpacked.

    Raises:
        DataError: if the gzip is damaged or unpacks to too much. The message calls it `name`.
    """
    meter = Meter(limits, len(content))
    unpacked = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            while block := stream.read(_BLOCK):
                meter.add(len(block))
                unpacked += block
                if len(unpacked) > limits.max_array_bytes:
                    raise DataError(f"{name!r} unpacks to more than {limits.max_array_bytes:,} bytes; split it up")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name!r} is a damaged gzip; pack or send it again") from error
    return bytes(unpacked)


def plain_stream(raw: BinaryIO) -> IO[bytes]:
    """The stream itself, or what it unpacks to if it begins like a gzip. Its reader limits it."""
    magic = raw.read(len(_MAGIC))
    raw.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if magic == _MAGIC else raw
