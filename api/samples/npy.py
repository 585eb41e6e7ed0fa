"""Rows of a stored `.npy` file, read without loading the rest."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


class NotThere(IndexError):
    """The array has no such row."""


def read_row(file: IO[bytes], index: int) -> NDArray[Any]:
    """Row `index` of a C-contiguous array. Only the header and that row are read.

    Raises:
        NotThere: the index is below 0 or beyond the last row.
        ValueError: the file holds no such array.
    """
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read_header(file)
    if fortran_order or dtype.hasobject or not shape:
        raise ValueError(f"rows cannot be read from an array of shape {shape}, type {dtype}")
    if not 0 <= index < shape[0]:
        raise NotThere(index)
    row_shape = shape[1:]
    size = int(np.prod(row_shape)) * dtype.itemsize
    file.seek(index * size, 1)
    return np.frombuffer(file.read(size), dtype).reshape(row_shape)
