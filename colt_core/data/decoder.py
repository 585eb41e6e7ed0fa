"""The program of a decoding process (colt_core/data/decoding.py).

It reads image files from stdin and writes pixels to stdout. It ends when its stdin does, so it
never outlives the process that started it.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

import numpy as np

from colt_core.data.conversion import Conversion
from colt_core.data.errors import DataError
from colt_core.data.images import UInt8, decode
from colt_core.data.limits import Limits

COUNT = struct.Struct("<Q")  # how many images a reply holds; their pixels follow


class Order(NamedTuple):
    """What to decode: arguments of `decode`, and the shape that every result must have."""

    contents: Sequence[bytes]
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
    """Reply to each pickled order with the images of :func:`decode_alike`, until `orders` ends."""
    while True:
        try:
            order: Order = pickle.load(orders)  # noqa: S301 (from our own parent)
        except EOFError:
            return
        images = decode_alike(order)
        replies.write(COUNT.pack(len(images)))
        replies.write(images.data)
        replies.flush()


def decode_alike(order: Order) -> UInt8:
    """Decode the leading images, up to the first that fails or has another shape.

    Returns:
        (n, *shape) uint8.
    """
    images = np.empty((len(order.contents), *order.shape), dtype=np.uint8)
    for done, content in enumerate(order.contents):
        try:
            pixels = decode(content, "", order.conversion, order.limits)
        except DataError:
            return images[:done]
        if pixels.shape != order.shape:
            return images[:done]
        images[done] = pixels
    return images
