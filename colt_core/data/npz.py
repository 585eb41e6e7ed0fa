"""Reads arrays from an untrusted .npz or .npy.

Every header is checked before its data are read.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Collection
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.folders import Readable
from colt_core.data.limits import Limits, Meter
from colt_core.data.zip_directory import read_directory

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, OverflowError, NotImplementedError)
_MAGIC = b"\x93NUMPY"


def is_npz(file: Readable, limits: Limits | None = None) -> bool:
    """Whether the file is a zip of .npy arrays and nothing else.

    Raises:
        DataError: if it is a zip of more members than allowed.
    """
    try:
        if not _may_begin_npz(file):
            return False
        entries = read_directory(file, limits or Limits())
    except DataError:
        raise
    except _DAMAGE:
        return False
    return bool(entries) and all(entry.name.endswith(".npy") for entry in entries)


def _may_begin_npz(file: Readable) -> bool:
    """Whether the first member may be an array.

    This avoids reading a directory of millions of entries.
    """
    with file.open("rb") as stream:
        header = stream.read(30)
        name = stream.read(int.from_bytes(header[26:28], "little"))
    return not header.startswith(b"PK\3\4") or name.endswith(b".npy")


def is_npy(file: Readable) -> bool:
    """Whether the file begins like an .npy."""
    with file.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def array_names(file: Readable, limits: Limits | None = None) -> list[str]:
    """The names of the arrays in an .npz, in its order.

    Raises:
        DataError: if the file is damaged, or holds more arrays than allowed.
    """
    try:
        return [entry.name.removesuffix(".npy") for entry in read_directory(file, limits or Limits())]
    except DataError:
        raise
    except _DAMAGE as error:
        raise DataError("the .npz is damaged; save it again with numpy.savez") from error


def array_shapes(file: Readable, limits: Limits | None = None) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays in an .npz by name, or of an .npy as "", from their headers alone.

    Raises:
        DataError: as for :func:`read_npz`.
    """
    try:
        if is_npy(file):
            with file.open("rb") as stream:
                return {"": _read_header(stream, "the array", file.stat().st_size)[0]}
        read_directory(file, limits or Limits())  # refuses too many arrays
        shapes = {}
        with file.open("rb") as whole, zipfile.ZipFile(whole) as archive:
            for info in archive.infolist():
                with archive.open(info) as stream:
                    shape = _read_header(stream, info.filename, info.file_size)[0]
                    shapes[info.filename.removesuffix(".npy")] = shape
        return shapes
    except DataError:
        raise
    except _DAMAGE as error:
        raise DataError("the .npz is damaged; save it again with numpy.savez") from error


def read_npz(file: Readable, wanted: Collection[str], limits: Limits | None = None) -> dict[str, NDArray[Any]]:
    """Read the `wanted` arrays that the .npz holds. Nothing is unpickled.

    Raises:
        DataError: if the file is damaged, an array holds Python objects, or a header claims more
            data than there are or than allowed.
    """
    limits = limits or Limits()
    meter = Meter(limits, file.stat().st_size)
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with file.open("rb") as whole, zipfile.ZipFile(whole) as archive:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if name in arrays:
                    raise DataError(f"the .npz holds '{name}' twice; keep one")
                if name in wanted:
                    with archive.open(info) as stream:
                        arrays[name] = _read_array(stream, name, info.file_size, meter)
    except DataError:
        raise
    except _DAMAGE as error:
        raise DataError("the .npz is damaged; save it again with numpy.savez") from error
    return arrays


def read_npy(file: Readable, limits: Limits | None = None) -> NDArray[Any]:
    """Read the array of an .npy file, with the checks of :func:`read_npz`."""
    limits = limits or Limits()
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            return _read_array(stream, "the array", size, Meter(limits, size))
    except DataError:
        raise
    except _DAMAGE as error:
        raise DataError("the .npy is damaged; save it again with numpy.save") from error


def map_npy(file: Readable, limits: Limits | None = None) -> NDArray[Any]:
    """Map the images of an .npy file, read-only. Nothing is unpickled.

    The file may be larger than memory.

    Raises:
        DataError: as for :func:`read_npz`.
    """
    limits = limits or Limits()
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            shape, fortran_order, dtype = _read_header(stream, "the array", size)
            offset = stream.tell()
        claimed = math.prod(shape) * dtype.itemsize
        if claimed > limits.max_bytes:
            raise DataError(f"the array takes {claimed:,} bytes, more than {limits.max_bytes:,}; split it up")
        if offset + claimed > size:
            raise DataError("the array is cut short; save it again with numpy.save")
        if shape and shape[0] > limits.max_files:
            raise DataError(f"the array holds {shape[0]:,} images, more than {limits.max_files:,}; split it up")
        if claimed == 0:
            return np.empty(shape, dtype)
        order = "F" if fortran_order else "C"
        with file.open("rb") as stream:
            return np.asarray(np.memmap(stream, dtype, "r", offset, shape, order))  # type: ignore[call-overload]
    except DataError:
        raise
    except _DAMAGE as error:
        raise DataError("the .npy is damaged; save it again with numpy.save") from error


def _read_header(stream: IO[bytes], name: str, size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(
        version
    )
    if read_header is None:
        raise DataError(f"'{name}' has an unusual .npy version {version}; save it again with numpy")
    try:
        shape, fortran_order, dtype = read_header(stream)
    except (MemoryError, RecursionError) as error:  # from Python's parser, on a deeply nested header
        raise DataError(f"'{name}' has no readable header; save it again with numpy") from error
    if dtype.hasobject:
        raise DataError(f"'{name}' holds Python objects (dtype {dtype}); save plain numbers")
    if any(type(side) is not int or side < 0 for side in shape) or math.prod(shape) * dtype.itemsize > size:
        raise DataError(f"'{name}' claims the shape {shape} but holds fewer data; save it again with numpy")
    return shape, fortran_order, dtype


def _read_array(stream: IO[bytes], name: str, size: int, meter: Meter) -> NDArray[Any]:
    shape, fortran_order, dtype = _read_header(stream, name, size)
    bytes_claimed = math.prod(shape) * dtype.itemsize
    meter.add(bytes_claimed)
    content = stream.read(bytes_claimed)
    if len(content) != bytes_claimed:
        raise DataError(f"'{name}' is cut short; save it again with numpy")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran_order else "C")
