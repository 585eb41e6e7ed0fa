"""Decoding one image: formats, channels, resizing, bombs."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colt_core.data import DataError, Limits
from colt_core.data.conversion import ToPixels
from colt_core.data.images import decode
from tests.support.data_files import encoded, pixels

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
    assert (decode(encoded(wide), "x", ToPixels(8))[:, :, 1:-1] > 190).all()
    assert (decode(encoded(wide.transpose(1, 0, 2)), "x", ToPixels(8))[:, 1:-1] > 190).all()


def test_shrinking_is_antialiased() -> None:
    stripes = np.zeros((64, 64), dtype=np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(ToPixels(8).of_array(stripes, "x").astype(int) - 127).max() < 40


def test_more_than_eight_bits_are_refused() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8), 40_000, dtype=np.uint16)).save(stream, "PNG")
    with pytest.raises(DataError, match="more than 8 bits"):
        decode(stream.getvalue(), "deep.png")


def _deep_png(color_type: int, channels: int) -> bytes:
    """A 4 x 4 PNG of 16 bits a channel, every value 0x1234. Pillow writes no such colours."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    lines = 4 * (b"\0" + 4 * channels * b"\x12\x34")
    header = struct.pack(">IIBBBBB", 4, 4, 16, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("color_type", "channels"), [(2, 3), (6, 4), (4, 2)], ids=["RGB", "RGBA", "LA"])
def test_sixteen_bit_colours_give_their_upper_bits(color_type: int, channels: int) -> None:
    assert (decode(_deep_png(color_type, channels), "x") == 0x12).all()


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind: str) -> None:
    smooth = np.tile(np.linspace(0, 255, 16).astype(np.uint8)[:, None, None], (1, 16, 3))
    image = decode(_saved(Image.fromarray(smooth).convert("CMYK"), kind), "x")
    assert np.abs(image.astype(int) - smooth.transpose(2, 0, 1)).max() < 12


@pytest.mark.parametrize(("kind", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})])
def test_an_animation_gives_its_first_frame(kind: str, options: dict[str, Any]) -> None:
    first = Image.fromarray(NOISE).quantize(16).convert("RGB")
    others = [Image.fromarray(255 - np.asarray(first)), Image.fromarray(pixels(7))]
    image = decode(_saved(first, kind, save_all=True, append_images=others, **options), "x")
    assert np.array_equal(image, np.asarray(first).transpose(2, 0, 1))


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_keeps_its_colours(kind: str) -> None:
    palette = Image.fromarray(NOISE).quantize(4)
    image = decode(_saved(palette, kind, transparency=0), "x")
    assert np.array_equal(image, np.asarray(palette.convert("RGB")).transpose(2, 0, 1))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("missing", [20, 0.5])
def test_a_truncated_image_is_refused(kind: str, missing: float) -> None:
    whole = encoded(pixels(width=64, height=64), kind)
    cut = whole[: -int(missing if missing >= 1 else missing * len(whole))]
    with pytest.raises(DataError, match=r"'x\.jpg' is damaged"):
        decode(cut, "x.jpg")


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [1, 2, 3, 100])
def test_a_jpeg_without_its_last_bytes_is_refused(missing: int, progressive: bool) -> None:
    with pytest.raises(DataError, match="damaged"):
        decode(_saved(Image.fromarray(NOISE), "JPEG", progressive=progressive)[:-missing], "x")


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
