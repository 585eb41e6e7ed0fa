"""Decodes one untrusted image file to (3, H, W) uint8."""

from __future__ import annotations

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from colt_core.data.errors import DataError
from colt_core.data.limits import Limits

UInt8 = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
_EIGHT_BIT = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"})


def decode(content: bytes, name: str, size: int | None = None, limits: Limits | None = None) -> UInt8:
    """Decode an image file.

    Gray becomes three equal channels, and transparency is dropped. An animation gives its first
    frame, and a PNG of 16-bit colours its upper 8 bits.

    Args:
        content: the bytes of the file. They decide the format, not the name.
        name: what to call the file in an error.
        size: side of the square to resize to, in pixels (see :func:`resize`). None: no resizing.

    Returns:
        (3, H, W) uint8.

    Raises:
        DataError: if the file is damaged or of another format, or the image has too many pixels or
            gray values of more than 8 bits.
    """
    limits = limits or Limits()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; only the pixels are used
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > limits.max_pixels:
                    raise DataError(f"{name!r} has {image.width} x {image.height} pixels; make it smaller")
                if image.mode not in _EIGHT_BIT:
                    raise DataError(
                        f"{name!r} has more than 8 bits a channel (mode {image.mode}); convert it to 8 bits"
                    )
                if image.format == "PNG":
                    # Only PNG has a check beyond decoding, its CRCs. The check uses up the image.
                    image.verify()
                    with Image.open(io.BytesIO(content), formats=FORMATS) as again:
                        rgb = again.convert("RGB")
                else:
                    rgb = image.convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{name!r} has too many pixels; make it smaller") from error
    except DataError:
        raise
    except Exception as error:  # on malicious bytes, decoders raise almost anything
        raise DataError(f"{name!r} is damaged, or not an image of a known format ({', '.join(FORMATS)})") from error
    return _channels_first(rgb if size is None else resize(rgb, size))


def resize(image: Image.Image, size: int) -> Image.Image:
    """The centre square of `image`, resized to `size` x `size` pixels (bicubic, antialiased).

    An image that has this size already is returned unchanged.
    """
    if image.size == (size, size):
        return image
    return ImageOps.fit(image, (size, size), method=Image.Resampling.BICUBIC)


def resize_array(pixels_3HW: UInt8, size: int) -> UInt8:
    """:func:`resize` for a (3, H, W) uint8 array."""
    if pixels_3HW.shape[1:] == (size, size):
        return pixels_3HW
    return _channels_first(resize(Image.fromarray(np.ascontiguousarray(pixels_3HW.transpose(1, 2, 0))), size))


def _channels_first(image: Image.Image) -> UInt8:
    lines = image.tobytes("raw", "RGB;L")  # one channel of a line after the other: twice as fast to split
    return np.frombuffer(lines, np.uint8).reshape(image.height, 3, image.width).transpose(1, 0, 2)
