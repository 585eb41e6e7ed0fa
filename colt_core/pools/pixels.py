"""What an image is like on its pixels alone.

An encoder may map a kind of images that it has never seen into the midst of the data. One that was
trained on CIFAR-10 does so with noise. So pixels have a say too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

_BLOCK_BYTES = 2**24


def look_like(images_M3SS: UInt8, training_N3SS: UInt8) -> Bool:
    """(M,) whether brightness, contrast and roughness are each in the range of training images.

    The range holds 99 % of the training images: half a percent are left out at either end.

    Args:
        images_M3SS: the images to judge.
        training_N3SS: the training images.
    """
    low_3, high_3 = np.quantile(statistics_of(training_N3SS), [0.005, 0.995], axis=0)
    found_M3 = statistics_of(images_M3SS)
    inside_M: Bool = ((found_M3 >= low_3) & (found_M3 <= high_3)).all(axis=1)
    return inside_M


def statistics_of(images_N3SS: UInt8) -> Float32:
    """(N, 3) brightness, contrast and roughness of each image, 0..255.

    They are the mean, the standard deviation, and the root mean square of the difference between
    neighbouring pixels.
    """
    result = np.empty((len(images_N3SS), 3), dtype=np.float32)
    for rows in pixel_blocks(len(images_N3SS), images_N3SS[0].nbytes):
        pixels = images_N3SS[rows].astype(np.float32)
        result[rows, 0] = pixels.mean(axis=(1, 2, 3))
        result[rows, 1] = pixels.std(axis=(1, 2, 3))
        result[rows, 2] = roughness(pixels)
    return result


def roughness(pixels_N3SS: Float32) -> Float32:
    """(N,) root mean square of what a shift by one pixel changes, over both directions."""
    across = np.square(np.diff(pixels_N3SS, axis=3)).mean(axis=(1, 2, 3))
    down = np.square(np.diff(pixels_N3SS, axis=2)).mean(axis=(1, 2, 3))
    result: Float32 = np.sqrt((across + down) / 2)
    return result


def differences(a_N3SS: UInt8, b_N3SS: UInt8) -> Float32:
    """(N,) root mean square of the difference of two images, 0..255.

    The second one may be mirrored, whichever is nearer.
    """
    a, b = a_N3SS.astype(np.float32), b_N3SS.astype(np.float32)
    plain, mirrored = (np.square(a - other).mean(axis=(1, 2, 3)) for other in (b, b[..., ::-1]))
    result: Float32 = np.sqrt(np.minimum(plain, mirrored))
    return result


def pixel_blocks(count: int, image_bytes: int) -> list[slice]:
    """Slices over `count` images, each of some megabytes."""
    step = max(1, _BLOCK_BYTES // image_bytes)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]
