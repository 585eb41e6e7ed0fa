"""Images as people have them: 16 bits, transparency, other shapes than squares, odd modes."""

from __future__ import annotations

import io
import re
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from colt_core.data import DataError
from colt_core.data.conversion import HIGHEST, ToExtremes, ToPixels, extremes
from colt_core.data.images import decode
from tests.support.data_files import encoded, pixels

RAMP = np.linspace(1000, 5000, 64).astype(np.uint16).reshape(8, 8)
WHITE = (255, 255, 255)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def see_through(mode: Literal["RGBA", "LA", "P"]) -> bytes:
    """A red or gray square on transparent black: a quarter of the image."""
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[2:6, 2:6] = (200, 200, 200, 255) if mode == "LA" else (200, 30, 30, 255)
    if mode != "P":
        return saved(Image.fromarray(rgba).convert(mode))
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0, 200, 30, 30])
    palette.paste(1, (2, 2, 6, 6))
    return saved(palette, transparency=0)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_gray_of_16_bits_is_scaled_by_the_range(kind: str) -> None:
    image = decode(encoded(RAMP, kind), "x", ToPixels(value_range=(1000, 5000)))
    assert np.array_equal(image[0], np.rint((RAMP.astype(float) - 1000) * 255 / 4000))
    assert np.array_equal(image[0], image[2])
    clipped = decode(encoded(RAMP, kind), "x", ToPixels(value_range=(2000, 3000)))
    assert clipped[0, 0, 0] == 0 and clipped[0, -1, -1] == 255


def test_a_portable_graymap_of_16_bits_is_scaled_too() -> None:
    """Pillow 12.3 scales its values to 0..65535 (PpmImagePlugin), whatever the largest one is."""
    content = b"P5 8 8 5000\n" + RAMP.astype(">u2").tobytes()
    low, high = extremes(decode(content, "x", ToExtremes()))
    assert abs(low - 1000 * 65535 / 5000) < 1 and high == 65535
    assert decode(content, "x", ToPixels(value_range=(low, high)))[0, -1, -1] == 255


def test_gray_of_16_bits_is_refused_by_default_with_the_way_on() -> None:
    for conversion in (ToPixels(), ToPixels(8)):
        with pytest.raises(DataError, match=r"'deep\.png' has more than 8 bits a channel\. Set bit_depth to 'scale'"):
            decode(encoded(RAMP), "deep.png", conversion)
        with pytest.raises(DataError, match=r"'images\[3\]' has more than 8 bits"):
            conversion.of_array(RAMP, "images[3]")


def test_values_that_are_no_16_bit_integers_are_refused() -> None:
    scale = ToPixels(value_range=(0, 1))
    with pytest.raises(DataError, match=r"mode F"):
        decode(saved(Image.fromarray(np.zeros((8, 8), np.float32)), "TIFF"), "x", scale)
    with pytest.raises(DataError, match=re.escape("'x' has values of 0..70000, which need more than 16 bits")):
        decode(saved(Image.fromarray(np.array([[0, 70_000]], np.int32)), "TIFF"), "x", scale)


def test_signed_values_of_16_bits_are_scaled() -> None:
    """Computed tomography stores -1000 for air (Hounsfield units)."""
    scan = np.array([[-1000, 0], [500, 1000]], np.int32)
    content = saved(Image.fromarray(scan), "TIFF")
    assert extremes(decode(content, "x", ToExtremes())) == (-1000, 1000)
    assert decode(content, "x", ToPixels(value_range=(-1000, 1000)))[0].tolist() == [[0, 128], [191, 255]]


def test_a_tiff_whose_zero_is_white_is_no_negative() -> None:
    """Pillow 12.3 inverts such an image of 8 bits when it writes and reads it, but not one of
    16."""
    values = np.arange(64, dtype=np.uint8).reshape(8, 8)
    zero_is_white = {262: 0}
    assert decode(saved(Image.fromarray(values), "TIFF", tiffinfo=zero_is_white), "x")[0].tolist() == values.tolist()
    as_stored = saved(Image.fromarray(HIGHEST - values.astype(np.uint16) * 257), "TIFF", tiffinfo=zero_is_white)
    assert decode(as_stored, "x", ToPixels(value_range=(0, HIGHEST)))[0].tolist() == values.tolist()


def test_extremes_skip_images_of_8_bits() -> None:
    assert extremes(decode(encoded(RAMP), "x", ToExtremes())) == (1000, 5000)
    assert extremes(ToExtremes().of_array(RAMP, "x")) == (1000, 5000)
    for packed in (decode(encoded(pixels()), "x", ToExtremes()), ToExtremes().of_array(pixels(), "x")):
        low, high = extremes(packed)
        assert low > high


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_take_the_background(mode: Literal["RGBA", "LA", "P"]) -> None:
    as_stored = decode(see_through(mode), "x")
    assert as_stored[:, 0, 0].tolist() == [0, 0, 0]
    on_white = decode(see_through(mode), "x", ToPixels(background=WHITE))
    assert on_white[:, 0, 0].tolist() == [255, 255, 255]
    assert np.array_equal(on_white[:, 2:6, 2:6], as_stored[:, 2:6, 2:6])


def test_half_transparent_pixels_are_mixed_and_opaque_images_left_alone() -> None:
    half = np.full((8, 8, 4), [200, 0, 0, 128], np.uint8)
    assert decode(saved(Image.fromarray(half)), "x", ToPixels(background=WHITE))[:, 0, 0].tolist() == [227, 127, 127]
    opaque = encoded(pixels())
    assert np.array_equal(decode(opaque, "x", ToPixels(background=WHITE)), decode(opaque, "x"))


def wide() -> np.ndarray:
    """Red on the left, blue on the right, 32 x 8."""
    image = np.zeros((8, 32, 3), np.uint8)
    image[:, :16, 0] = image[:, 16:, 2] = 255
    return image


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_not_square_is_cropped_squashed_or_padded(turned: bool) -> None:
    image = wide().transpose(1, 0, 2) if turned else wide()

    def line(conversion: ToPixels) -> np.ndarray:
        """(3, 16): along the long side, in the middle of the short one."""
        found = conversion.of_array(image, "x").transpose(0, 2, 1) if turned else conversion.of_array(image, "x")
        assert found.shape == (3, 16, 16)
        return found[:, 8] if conversion.fit != "pad" else found

    for fit in ("crop", "squash"):
        ends = line(ToPixels(16, fit))[:, [0, -1]]
        assert ends.T.tolist() == [[255, 0, 0], [0, 0, 255]]
    padded = line(ToPixels(16, "pad"))
    assert padded[:, [0, 5, 10, 15]].max() == 0 and padded[0, 6:10, 0].min() == 255
    assert line(ToPixels(16, "pad", background=(1, 2, 3)))[:, 0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (8, 8)])
def test_any_shape_fits(fit: Literal["crop", "squash", "pad"], shape: tuple[int, int]) -> None:
    assert ToPixels(8, fit).of_array(np.full(shape, 9, np.uint8), "x").shape == (3, 8, 8)


def test_orientation_in_exif_is_not_applied() -> None:
    """As by Pillow and torchvision: people who cut their images have applied it."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert np.array_equal(decode(saved(Image.fromarray(pixels()), exif=exif), "x"), decode(encoded(pixels()), "x"))


def test_one_bit_becomes_black_and_white() -> None:
    bits = np.indices((8, 8)).sum(axis=0) % 2 == 1
    assert np.array_equal(decode(saved(Image.fromarray(bits)), "x"), np.broadcast_to(bits * 255, (3, 8, 8)))
