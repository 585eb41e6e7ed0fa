"""Embeddings as arrays: checked, read in blocks and converted to float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colt_core.events import Float32

Embeddings = NDArray[np.floating]  # float32, or a float16 memory map that is never converted whole
Z = TypeVar("Z", bound=Embeddings)

BLOCK_FLOATS = 2**21  # floats converted at a time: 8 MiB


def blocks(z_ND: Embeddings, floats: int = BLOCK_FLOATS) -> Iterator[slice]:
    """Slices that cover all rows, in blocks that are cheap to convert.

    Args:
        floats: numbers in a block. The default makes blocks of 16,384 rows of 128 dimensions.
    """
    size = max(1, floats // max(1, z_ND[:1].size))
    for start in range(0, len(z_ND), size):
        yield slice(start, min(start + size, len(z_ND)))


def as_float32(z: Embeddings) -> Float32:
    """Embeddings in float32. An array that is float32 already is not copied."""
    if z.dtype == np.float32:
        return np.asarray(z)
    # torch converts 6 times as fast as numpy, but needs writable memory.
    return torch.from_numpy(z if z.flags.writeable else z.copy()).float().numpy()


def as_embeddings(z: Float32 | Tensor, name: str) -> Float32:
    """(N, D) embeddings as a C-contiguous float32 array on the host, copied only if needed.

    Raises:
        ValueError: if it is not a matrix, is empty, or a row's length is not 1 (within 1 %). The
            message names the argument.
    """
    array = z.detach().cpu().float().numpy() if isinstance(z, Tensor) else z
    return _checked(np.ascontiguousarray(array, dtype=np.float32), name)


def as_pool_embeddings(z: Embeddings | Tensor, name: str, block_floats: int = BLOCK_FLOATS) -> Embeddings:
    """As `as_embeddings`, but a half-precision memory map stays one, and is read in blocks."""
    if isinstance(z, np.memmap) and z.dtype == np.float16:
        return _checked(z, name, block_floats)
    return as_embeddings(z, name)


def _checked(array: Z, name: str, block_floats: int = BLOCK_FLOATS) -> Z:
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must be a non-empty matrix of embeddings, not of shape {array.shape}")
    for block in blocks(array, block_floats):
        rows = as_float32(array[block])
        squares = np.einsum("nd,nd->n", rows, rows)
        bad = np.flatnonzero(~(np.abs(squares - 1) < 0.02))  # NaN counts as bad
        if bad.size:
            length = squares[bad[0]] ** 0.5
            raise ValueError(f"{name} must be L2-normalised: row {block.start + bad[0]} has length {length:.6g}")
    return array
