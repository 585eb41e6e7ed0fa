"""Decoding one image: formats, channels, resizing, bombs."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from colt_core.data import DataError, Limits
from colt_core.data.images import decode, resize_array
from tests.unit.colt_core.data_files import encoded, pixels

NOISE = pixels(1)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_come_out_exactly(kind: str) -> None:
    assert np.array_equal(decode(encoded(NOISE, kind), "x"), NOISE.transpose(2, 0, 1))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF"])
def test_lossy_formats_come_out_near(kind: str) -> None:
    smooth = np.tile(np.linspace(0, 255, 16).astype(np.uint8)[:, None, None], (1, 16, 3))
    assert np.abs(decode(encoded(smooth, kind), "x").astype(int) - smooth.transpose(2, 0, 1)).max() < 12


def test_gray_becomes_three_equal_channels() -> None:
    image = decode(encoded(NOISE[..., 0]), "x")
    assert np.array_equal(image, np.broadcast_to(NOISE[..., 0], (3, 16, 16)))


def test_transparency_is_dropped_and_palettes_resolved() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.dstack([NOISE, np.zeros((16, 16), np.uint8)]), "RGBA").save(stream, "PNG")
    assert np.array_equal(decode(stream.getvalue(), "x"), NOISE.transpose(2, 0, 1))
    palette = Image.fromarray(NOISE).quantize(16)
    stream = io.BytesIO()
    palette.save(stream, "PNG")
    assert np.array_equal(decode(stream.getvalue(), "x"), np.asarray(palette.convert("RGB")).transpose(2, 0, 1))


def test_resize_takes_the_centre_square() -> None:
    wide = np.zeros((16, 48, 3), dtype=np.uint8)
    wide[:, 16:32] = 200
    assert (decode(encoded(wide), "x", size=8)[:, :, 1:-1] > 190).all()
    assert (decode(encoded(wide.transpose(1, 0, 2)), "x", size=8)[:, 1:-1] > 190).all()


def test_shrinking_is_antialiased() -> None:
    stripes = np.zeros((3, 64, 64), dtype=np.uint8)
    stripes[:, :, ::2] = 255
    assert np.abs(resize_array(stripes, 8).astype(int) - 127).max() < 40


def test_more_than_eight_bits_are_refused() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8), 40_000, dtype=np.uint16)).save(stream, "PNG")
    with pytest.raises(DataError, match="more than 8 bits"):
        decode(stream.getvalue(), "deep.png")


def test_formats_that_are_not_allowed_are_refused() -> None:
    for kind in ("ICO", "PDF", "TGA"):
        with pytest.raises(DataError, match=r"'x\.png' is damaged, or not an image of a known format"):
            decode(encoded(NOISE, kind), "x.png")


def test_too_many_pixels_are_refused_from_the_header() -> None:
    with pytest.raises(DataError, match="100 x 100 pixels; make it smaller"):
        decode(encoded(pixels(width=100, height=100)), "x", limits=Limits(max_pixels=9_999))
    bomb = b"P6 20000 20000 255\n"  # 400 million pixels, and not one byte of them
    with pytest.raises(DataError, match="too many pixels"):
        decode(bomb, "x")
    with pytest.raises(DataError, match="too many pixels"):  # above Pillow's warning, below its error
        decode(b"P6 10000 10000 255\n", "x")


@pytest.mark.parametrize("chunk", [b"IHDR", b"IDAT"])
def test_a_flipped_bit_in_a_png_is_found_by_its_checksum_alone(chunk: bytes) -> None:
    content = bytearray(encoded(NOISE))
    start = content.index(chunk)
    length = int.from_bytes(content[start - 4 : start], "big")
    content[start + 4 + length] ^= 1  # in the checksum itself: the pixels still decode
    with pytest.raises(DataError, match="damaged"):
        decode(bytes(content), "x")
