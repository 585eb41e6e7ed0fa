"""JPEG files that begin as others did: decoded without reading their header again, to equal pixels
and errors."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colt_core.data import DataError, Limits
from colt_core.data.conversion import ToPixels
from colt_core.data.images import decode
from colt_core.data.jpeg_headers import JpegHeaders
from tests.support.data_files import pixels, png

SMOOTH = np.linspace(0, 255, 24 * 17 * 3).reshape(17, 24, 3).astype(np.uint8)
LIMITS = Limits()


def jpeg(array: np.ndarray, mode: str = "RGB", **settings: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).convert(mode).save(stream, "JPEG", **settings)
    return stream.getvalue()


def decoded(content: bytes, headers: JpegHeaders | None = None, limits: Limits = LIMITS) -> np.ndarray | str:
    """The pixels, or what is wrong."""
    try:
        return decode(content, "it", ToPixels(), limits, headers)
    except DataError as error:
        return str(error)


def knowing(content: bytes) -> JpegHeaders:
    headers = JpegHeaders()
    decoded(content, headers)
    return headers


KINDS: dict[str, dict[str, Any]] = {
    "rgb": {},
    "no subsampling": {"subsampling": 0},
    "halved in one direction": {"subsampling": 1},
    "progressive": {"progressive": True},
    "gray": {"mode": "L"},
    "CMYK": {"mode": "CMYK"},
    "not converted to YCbCr": {"keep_rgb": True},
    "restarts": {"restart_marker_blocks": 1},
    "comment": {"comment": b"taken by hand"},
    "colour profile": {"icc_profile": bytes(200)},
    "low quality": {"quality": 5},
}


@pytest.mark.parametrize("kind", KINDS)
def test_another_image_of_a_known_header_has_the_pixels_of_pillow(kind: str) -> None:
    headers = knowing(jpeg(SMOOTH, **KINDS[kind]))
    for array in (SMOOTH, SMOOTH[::-1], 255 - SMOOTH, pixels(3, 24, 17)):
        content = jpeg(np.ascontiguousarray(array), **KINDS[kind])
        assert headers.decode(content, LIMITS.max_pixels) is not None
        assert np.array_equal(decoded(content, headers), decoded(content))


@pytest.mark.parametrize(
    "settings",
    [{"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}, {"quality": 99}],
    ids=["EXIF data", "another quality"],
)
def test_other_headers_are_left_to_pillow(settings: dict[str, Any]) -> None:
    headers, content = knowing(jpeg(SMOOTH)), jpeg(SMOOTH, **settings)
    assert headers.decode(content, LIMITS.max_pixels) is None
    assert np.array_equal(decoded(content, headers), decoded(content))


def test_only_jpeg_files_that_pillow_reads_in_one_go_are_remembered() -> None:
    exif = jpeg(SMOOTH, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")
    large = jpeg(pixels(0, 256, 256), quality=95)
    assert len(large) > 2**16
    for content in (exif, large, png(), b"", b"\xff\xd8\xff"):
        assert knowing(content).decode(content, LIMITS.max_pixels) is None


def test_the_last_headers_are_remembered() -> None:
    files = [jpeg(SMOOTH, quality=quality) for quality in range(60, 80)]
    headers = JpegHeaders()
    for content in [*files, files[-1]]:
        decoded(content, headers)
    known = [headers.decode(content, LIMITS.max_pixels) is not None for content in files]
    assert known == [False] * 12 + [True] * 8


def test_an_image_larger_than_allowed_is_refused_though_its_header_is_known() -> None:
    content = jpeg(SMOOTH)
    told = decoded(content, knowing(content), Limits(max_pixels=24 * 17 - 1))
    assert isinstance(told, str) and told.startswith("'it' has 24 x 17 pixels")


@pytest.mark.parametrize("kind", ["rgb", "progressive", "gray"])
def test_damaged_files_give_the_same_pixels_or_errors(kind: str) -> None:
    """Each byte changed in turn, and the file cut before it."""
    content, rng = jpeg(SMOOTH, **KINDS[kind]), np.random.default_rng(0)
    headers = knowing(content)
    reused = 0
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] = rng.choice([0, 0xC0, 0xD8, 0xE1, 0xFF, changed[at] ^ 1, changed[at] ^ 0x80])
        for damaged in (bytes(changed), content[:at]):
            reused += headers.decode(damaged, LIMITS.max_pixels) is not None
            now, before = decoded(damaged, headers), decoded(damaged)
            assert np.array_equal(now, before) if isinstance(before, np.ndarray) else now == before, at
    assert reused > 10
