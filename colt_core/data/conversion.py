"""How images of any size, depth and transparency become (3, H, W) uint8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from colt_core.data.errors import DataError

UInt8 = NDArray[np.uint8]
Int32 = NDArray[np.int32]
Fit = Literal["crop", "squash", "pad"]

DEEP_MODES = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I"})  # Pillow's for gray of more than 8 bits
LOWEST, HIGHEST = -(2**15), 2**16 - 1  # of signed and of unsigned 16 bits
_PHOTOMETRIC = 262  # the tag of TIFF files that says whether 0 is black or white
_BICUBIC = Image.Resampling.BICUBIC


class Conversion(Protocol):
    """What is made of each image. It is sent to decoding processes, so it can be pickled.

    Attributes:
        one_by_one: an image that cannot be used is left out as a damaged one is. Else it ends the
            reading.
    """

    @property
    def one_by_one(self) -> bool: ...

    def of_image(self, image: Image.Image, name: str) -> UInt8:
        """From an opened file.

        Raises:
            DataError: if the image cannot be used. The message calls it `name`.
        """
        ...

    def of_array(self, pixels: NDArray[Any], name: str) -> UInt8:
        """From an (H, W) or (H, W, 1 or 3) array of uint8 or uint16. Raises as `of_image`."""
        ...


@dataclass(frozen=True, slots=True)
class ToPixels:
    """The conversion to (3, H, W) uint8. Gray becomes three equal channels.

    Attributes:
        size: side of the square to resize to, in pixels (bicubic, antialiased). An image that has
            this size already is unchanged. None: no resizing.
        fit: what happens to an image that is not square, see :func:`fitted`.
        background: RGB under transparent pixels. None: transparency is dropped, so that transparent
            pixels show the colour that the file stores for them.
        value_range: values of 16-bit images that become 0 and 255. Values between are scaled
            linearly, those outside are clipped. None: such images are refused.
        one_by_one: see :class:`Conversion`.
    """

    size: int | None = None
    fit: Fit = "crop"
    background: tuple[int, int, int] | None = None
    value_range: tuple[int, int] | None = None
    one_by_one: bool = False

    def of_image(self, image: Image.Image, name: str) -> UInt8:
        """See :class:`Conversion`."""
        if image.mode in DEEP_MODES:
            image = Image.fromarray(self._eight_bits(deep_values(image, name), name))
        elif self.background is not None and _is_transparent(image):
            ground = Image.new("RGBA", image.size, (*self.background, 255))
            image = Image.alpha_composite(ground, image.convert("RGBA"))
        image.load()  # some formats have another mode before
        return self._resized(image if image.mode == "RGB" else image.convert("RGB"))

    def of_array(self, pixels: NDArray[Any], name: str) -> UInt8:
        """See :class:`Conversion`."""
        if pixels.dtype != np.uint8:
            pixels = self._eight_bits(pixels, name)
        pixels_3HW: UInt8 = np.broadcast_to(_channels(pixels), (3, *pixels.shape[:2]))
        if self.size is None or pixels_3HW.shape[1:] == (self.size, self.size):
            return pixels_3HW
        return self._resized(Image.fromarray(np.ascontiguousarray(pixels_3HW.transpose(1, 2, 0))))

    def _eight_bits(self, values: NDArray[Any], name: str) -> UInt8:
        if self.value_range is None:
            raise DataError(
                f"{name!r} has more than 8 bits a channel. Set bit_depth to 'scale' to map the range of values in the "
                "data to 0..255, or convert the images to 8 bits"
            )
        low, high = self.value_range
        share = (values.astype(np.float32) - low) * np.float32(255 / max(1, high - low))
        eight_bits: UInt8 = np.rint(share.clip(0, 255)).astype(np.uint8)
        return eight_bits

    def _resized(self, image: Image.Image) -> UInt8:
        fits = self.size is None or image.size == (self.size, self.size)
        return channels_first(image if fits else fitted(image, self.size or 0, self.fit, self.background))


@dataclass(frozen=True, slots=True)
class ToExtremes:
    """The conversion to the smallest and the largest value of a 16-bit image, as bytes.

    The result has the shape (1, 1, 8): two int32, to be read by :func:`extremes`. Those of an image
    of 8 bits are HIGHEST and LOWEST, so that they do not count.
    """

    one_by_one: bool = False

    def of_image(self, image: Image.Image, name: str) -> UInt8:
        """See :class:`Conversion`."""
        return _packed(deep_values(image, name) if image.mode in DEEP_MODES else None)

    def of_array(self, pixels: NDArray[Any], name: str) -> UInt8:
        """See :class:`Conversion`."""
        return _packed(None if pixels.dtype == np.uint8 else pixels)


def extremes(packed: UInt8) -> tuple[int, int]:
    """(smallest, largest) value of images, from what :class:`ToExtremes` made of them."""
    pairs = packed.reshape(-1, 8).view(np.int32)
    return int(pairs[:, 0].min()), int(pairs[:, 1].max())


def _packed(values: NDArray[Any] | None) -> UInt8:
    pair = (HIGHEST, LOWEST) if values is None else (values.min(), values.max())
    return np.array(pair, dtype=np.int32).view(np.uint8).reshape(1, 1, 8)


def deep_values(image: Image.Image, name: str) -> Int32:
    """(H, W) values of a gray image of more than 8 bits, larger for lighter pixels.

    Pillow 12.3 inverts TIFF files whose 0 is white (PhotometricInterpretation 0) if they have 8
    bits, but not if they have 16 (`OPEN_INFO` in TiffImagePlugin.py). They are inverted here.

    Raises:
        DataError: if a value needs more than 16 bits.
    """
    values = np.asarray(image).astype(np.int32)
    if values.min() < LOWEST or values.max() > HIGHEST:
        raise DataError(
            f"{name!r} has values of {values.min()}..{values.max()}, which need more than 16 bits; convert it to 16 "
            "or 8 bits"
        )
    zero_is_white = image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == 0  # type: ignore[attr-defined]
    return HIGHEST - values if zero_is_white else values


def fitted(image: Image.Image, size: int, fit: Fit, background: tuple[int, int, int] | None) -> Image.Image:
    """The image as a square of `size` pixels.

    Args:
        fit: `crop` takes the centre square, `squash` stretches both sides to the same length, and
            `pad` adds bars to the shorter side.
        background: colour of the bars; None is black.
    """
    if fit == "squash":
        return image.resize((size, size), _BICUBIC)
    if fit == "crop":
        return ImageOps.fit(image, (size, size), method=_BICUBIC)
    scale = size / max(image.size)
    inner = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), _BICUBIC)
    square = Image.new("RGB", (size, size), background or (0, 0, 0))
    square.paste(inner, ((size - inner.width) // 2, (size - inner.height) // 2))
    return square


def _is_transparent(image: Image.Image) -> bool:
    image.load()  # a palette is known only then
    return image.has_transparency_data


def channels_first(image: Image.Image) -> UInt8:
    """(3, H, W) of an RGB image."""
    lines = image.tobytes("raw", "RGB;L")  # one channel of a line after the other: twice as fast to split
    return np.frombuffer(lines, np.uint8).reshape(image.height, 3, image.width).transpose(1, 0, 2)


def _channels(pixels: UInt8) -> UInt8:
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
