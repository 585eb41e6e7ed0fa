"""Files of the layouts idx and cifar, byte for byte as their authors publish them."""

from __future__ import annotations

import gzip
import pickle
import struct
from typing import Any

import numpy as np


def idx(array: np.ndarray) -> bytes:
    """An IDX file of uint8 (LeCun's page on MNIST)."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def mnist(
    images: dict[str, np.ndarray], labels: dict[str, np.ndarray], zipped: bool = False, form: str = "{}-{}-idx{}-ubyte"
) -> dict[str, bytes]:
    """The files of MNIST; parts are called `train` and `t10k`."""
    files = {}
    for arrays, role in ((images, "images"), (labels, "labels")):
        for part, array in arrays.items():
            name = form.format(part, role, array.ndim)
            files[name + ".gz" * zipped] = gzip.compress(idx(array)) if zipped else idx(array)
    return files


class _Python2Pickler(pickle._Pickler):
    """Writes texts and bytes as `str` of Python 2, which the archives on CIFAR's page hold."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_str(self, text: str | bytes) -> None:
        content = text.encode("latin-1") if isinstance(text, str) else text
        if len(content) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(content)]) + content)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(text)

    dispatch[str] = dispatch[bytes] = save_str


def python2_pickle(value: Any) -> bytes:
    """A pickle as Python 2 and its numpy wrote it."""
    import io

    stream = io.BytesIO()
    _Python2Pickler(stream, protocol=2).dump(value)
    return stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
