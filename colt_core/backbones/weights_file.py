"""Reads files of weights: safetensors, and what `torch.save` wrote. Their code is never run."""

from __future__ import annotations

import struct
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from colt_core.backbones.errors import WeightsRefused
from colt_core.backbones.spec import MOST_BYTES
from colt_core.backbones.torch_file import read_torch_file

_MOST_HEADER_BYTES = 8 * 2**20
_HEADER_LENGTH = struct.Struct("<Q")


def read_weights(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a file, by name, on the CPU.

    Args:
        path: where it is.
        name: what it is called. Its ending says how it is read.

    Raises:
        WeightsRefused: if it is damaged, too large, or holds anything but tensors.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise WeightsRefused(
            f"the file has {size:,} bytes, and at most {MOST_BYTES:,} are read: leave the optimiser out"
        )
    if not name.lower().endswith(".safetensors"):
        return read_torch_file(path)
    with path.open("rb") as file:
        first = file.read(_HEADER_LENGTH.size)
    if len(first) < _HEADER_LENGTH.size or _HEADER_LENGTH.unpack(first)[0] > min(size, _MOST_HEADER_BYTES):
        raise WeightsRefused("the file is not safetensors, or its header is too long; save it again")
    try:
        return load_file(path)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsRefused("the file is not safetensors, or it is damaged; save it again") from error
