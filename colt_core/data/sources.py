"""Sources of images for data sets: all images are listed, only those kept are decoded."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from colt_core.data.conversion import Conversion
from colt_core.data.decoding import decode_files
from colt_core.data.errors import DamagedImage, DataError
from colt_core.data.images import UInt8
from colt_core.data.limits import Limits
from colt_core.data.warnings import DataWarning

Int64 = NDArray[np.int64]
Block = tuple[Int64, UInt8 | DamagedImage]  # (n,) positions; (n, *shape) converted images, or what is wrong with one


class ImageSource(Protocol):
    """Images addressed by position, not decoded yet."""

    def __len__(self) -> int: ...

    def name(self, position: int) -> str:
        """What an error calls the image."""
        ...

    def read(self, positions: Int64, conversion: Conversion) -> Generator[Block]:
        """Read each distinct position in blocks, in the order that reads fastest.

        Close the generator if it is not read to its end. Raises DataError for an image that cannot
        be used though it is whole, unless the conversion takes them `one_by_one`.
        """
        ...


class Files(Protocol):
    """Named files: an archive or a folder."""

    names: list[str]

    def read(self, wanted: set[str], most: int | None = None) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each wanted file, see :class:`colt_core.data.archives.Archive`."""
        ...

    def streams(self, wanted: set[str]) -> Iterator[tuple[str, BinaryIO]]:
        """(name, file that can be sought) of each wanted file, open until the next is asked for."""
        ...


class FileImages:
    """Image files of an archive or a folder; position i is `names[i]`."""

    def __init__(self, files: Files, names: Sequence[str], limits: Limits) -> None:
        self._files = files
        self._names = names
        self._limits = limits

    def __len__(self) -> int:
        return len(self._names)

    def name(self, position: int) -> str:
        """The file's name in the archive or folder."""
        return self._names[position]

    def read(self, positions: Int64, conversion: Conversion) -> Generator[Block]:
        """See :class:`ImageSource`."""
        position_of = {self._names[position]: int(position) for position in positions}
        files = self._files.read(set(position_of))
        for names, images in decode_files(files, len(position_of), conversion, self._limits):
            yield np.array([position_of[name] for name in names]), images


class ArrayImages:
    """Images that are arrays already. Positions run on from one array to the next.

    Args:
        arrays: (title, array) pairs, uint8 or uint16. Shapes are (N, H, W), (N, H, W, 1),
            (N, H, W, 3) or, with `channels_first`, (N, 3, H, W). Each array may have its own image
            size.

    Raises:
        DataError: if an array has another dtype or shape, or no image.
    """

    def __init__(self, arrays: Sequence[tuple[str, NDArray[Any]]], channels_first: bool = False) -> None:
        for title, array in arrays:
            if array.dtype.kind != "u" or array.dtype.itemsize > 2:  # of either byte order
                raise DataError(f"'{title}' must be uint8 (0..255), or uint16 to be scaled, but is {array.dtype}")
            channels = 1 if array.ndim == 3 else array.shape[1 if channels_first else -1] if array.ndim == 4 else 0
            if channels not in (1, 3):
                raise DataError(f"'{title}' must have the shape N x H x W, or N x H x W x 1 or 3; it has {array.shape}")
            if array.size == 0:
                raise DataError(f"'{title}' holds no images (shape {array.shape})")
        self._arrays = arrays
        self._channels_first = channels_first
        self._ends = np.cumsum([len(array) for _, array in arrays])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def name(self, position: int) -> str:
        """The array and the index in it."""
        which, index = self._locate(position)
        return f"{self._arrays[which][0]}[{index}]"

    def read(self, positions: Int64, conversion: Conversion) -> Generator[Block]:
        """See :class:`ImageSource`."""
        for position in np.unique(positions):
            which, index = self._locate(position)
            title, array = self._arrays[which]
            pixels = array[index].transpose(1, 2, 0) if self._channels_first else array[index]
            try:
                block: UInt8 | DamagedImage = conversion.of_array(pixels, f"{title}[{index}]")[None]
            except DataError as error:
                if not conversion.one_by_one:
                    raise
                block = DamagedImage(str(error))
            yield np.array([position]), block

    def _locate(self, position: int) -> tuple[int, int]:
        which = int(np.searchsorted(self._ends, position, side="right"))
        return which, int(position) - int(self._ends[which - 1] if which else 0)


@dataclass(frozen=True, slots=True)
class LabelledSource:
    """A source with labels and the parts that it has.

    Attributes:
        images: N images.
        labels: (N,) in 0..C-1; -1 for images that lists leave out. They are in no part.
        class_names: C names.
        parts: source positions by part: `train` always, `val` and `test` if the source has them.
        listed: the positions of `train` that a list names, ascending. The others may only be probe
            or test images. None: there are no others.
        layout: how the images were arranged, see `layouts/kinds.py`. None: not from files.
        warnings: what the user should know.
    """

    images: ImageSource
    labels: Int64
    class_names: tuple[str, ...]
    parts: dict[str, Int64]
    listed: Int64 | None = None
    layout: str | None = None
    warnings: tuple[DataWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class UnlabelledSource:
    """A source of images alone. Attributes are those of :class:`LabelledSource`."""

    images: ImageSource
    layout: str | None = None
    warnings: tuple[DataWarning, ...] = ()
