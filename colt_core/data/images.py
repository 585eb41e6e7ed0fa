"""Decodes one untrusted image file."""

from __future__ import annotations

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colt_core.data.conversion import DEEP_MODES, Conversion, ToPixels
from colt_core.data.errors import DamagedImage, DataError
from colt_core.data.jpeg_headers import JpegHeaders
from colt_core.data.limits import Limits

UInt8 = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
_EIGHT_BIT = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"})
_KNOWN = _EIGHT_BIT | DEEP_MODES


def decode(
    content: bytes,
    name: str,
    conversion: Conversion | None = None,
    limits: Limits | None = None,
    headers: JpegHeaders | None = None,
) -> UInt8:
    """Decode an image file.

    An animation gives its first frame, and a PNG of 16-bit colours its upper 8 bits. A palette is
    resolved. The orientation in EXIF data is not applied.

    Args:
        content: the bytes of the file. They decide the format, not the name.
        name: what to call the file in an error.
        conversion: what is made of the image. Default: its pixels, (3, H, W) uint8.
        limits: limits on sizes.
        headers: of files decoded before. Files with such a header are decoded in a third of the
            time.

    Raises:
        DamagedImage: if the file is damaged or of another format.
        DataError: if the image has too many pixels, or the conversion refuses it.
    """
    conversion, limits = conversion or ToPixels(), limits or Limits()
    try:
        if headers is not None and (decoded := headers.decode(content, limits.max_pixels)) is not None:
            return conversion.of_image(decoded, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; only the pixels are used
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            file = io.BytesIO(content)
            with Image.open(file, formats=FORMATS) as image:
                if headers is not None:
                    headers.learn(image, content, file.tell())
                if image.width * image.height > limits.max_pixels:
                    raise DataError(f"{name!r} has {image.width} x {image.height} pixels; make it smaller")
                if image.mode not in _KNOWN:
                    raise DataError(
                        f"{name!r} has more than 8 bits a channel (mode {image.mode}); convert it to 8 bits"
                    )
                if image.format == "PNG":
                    # Only PNG has a check beyond decoding, its CRCs. The check uses up the image.
                    image.verify()
                    with Image.open(io.BytesIO(content), formats=FORMATS) as again:
                        return conversion.of_image(again, name)
                return conversion.of_image(image, name)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{name!r} has too many pixels; make it smaller") from error
    except DataError:
        raise
    except Exception as error:  # on malicious bytes, decoders raise almost anything
        known = ", ".join(FORMATS)
        raise DamagedImage(f"{name!r} is damaged, or not an image of a known format ({known})") from error
