"""Rows of a stored `.npy` file, read without loading the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    return next(read_rows(file, [index]))


def read_rows(file: IO[bytes], indices: Iterable[int]) -> Iterator[NDArray[Any]]:
    """These rows, one after the other. See :func:`read_row`."""
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read_header(file)
    if fortran_order or dtype.hasobject or not shape:
        raise ValueError(f"rows cannot be read from an array of shape {shape}, type {dtype}")
    row_shape, begin = shape[1:], file.tell()
    size = int(np.prod(row_shape)) * dtype.itemsize
    for index in indices:
        if not 0 <= index < shape[0]:
            raise NotThere(index)
        file.seek(begin + index * size)
        yield np.frombuffer(file.read(size), dtype).reshape(row_shape)
