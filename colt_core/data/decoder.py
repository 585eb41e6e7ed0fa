"""The program of a decoding process (colt_core/data/decoding.py).

It reads orders from stdin and answers on stdout. Image files and pixels pass through files without
a name that both processes have open. So neither waits for the other to read or write them. It ends
when its stdin does, so it never outlives the process that started it.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import BinaryIO, NamedTuple

import numpy as np

from colt_core.data.conversion import Conversion
from colt_core.data.errors import DataError
from colt_core.data.images import UInt8, decode
from colt_core.data.jpeg_headers import JpegHeaders
from colt_core.data.limits import Limits

COUNT = struct.Struct("<Q")  # a reply: how many images were decoded


class Order(NamedTuple):
    """What to decode.

    Attributes:
        file: the descriptor of a file that begins with the image files. Their pixels follow.
        sizes: bytes of each image file.
        shape: that every result must have.
        conversion, limits: see `decode`.
    """

    file: int
    sizes: Sequence[int]
    shape: tuple[int, ...]
    conversion: Conversion
    limits: Limits


def main() -> None:
    """Answer orders until there are no more."""
    os.nice(10)  # a training may run at the same time
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for the images
    with os.fdopen(0, "rb") as orders, os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)  # what a library prints must not mix with the pixels
        serve(orders, replies)


def serve(orders: BinaryIO, replies: BinaryIO) -> None:
    """Carry out each pickled order, until `orders` ends."""
    headers = JpegHeaders()
    while True:
        try:
            order: Order = pickle.load(orders)  # noqa: S301 (from our own parent)
        except EOFError:
            return
        starts = [*accumulate(order.sizes, initial=0)]
        content = os.pread(order.file, starts[-1], 0)
        contents = [content[i:j] for i, j in pairwise(starts)]
        images = decode_alike(contents, order.shape, order.conversion, order.limits, headers)
        write_at(order.file, images.data, starts[-1])
        replies.write(COUNT.pack(len(images)))
        replies.flush()


def write_at(file: int, content: bytes | memoryview, offset: int) -> None:
    """Write all of it at `offset`."""
    left = memoryview(content)
    left = left.cast("B") if left.nbytes else left
    while left.nbytes:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written


def decode_alike(
    contents: Sequence[bytes], shape: tuple[int, ...], conversion: Conversion, limits: Limits, headers: JpegHeaders
) -> UInt8:
    """Decode the leading images, up to the first that fails or has another shape.

    Returns:
        (n, *shape) uint8.
    """
    images = np.empty((len(contents), *shape), dtype=np.uint8)
    for done, content in enumerate(contents):
        try:
            pixels = decode(content, "", conversion, limits, headers)
        except DataError:
            return images[:done]
        if pixels.shape != shape:
            return images[:done]
        images[done] = pixels
    return images
