"""Finds the images that a table's cells name, with or without folders and endings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from posixpath import join, normpath, splitext

from colt_core.data.layouts.part_names import part_of
from colt_core.data.names import IMAGE_SUFFIXES, is_image

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_MOST_ALIKE = 1000  # images of one name that are looked through for each cell
_ENDINGS = [written for ending in sorted(IMAGE_SUFFIXES) for written in (ending, ending.upper())]
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://")


class Outside(ValueError):
    """The path is absolute, or leads out of the data."""


class Ambiguous(ValueError):
    """Several images have the name. `args` are their names."""


class TableImages:
    """Images by every end of their paths. Only names are compared: no path is opened.

    Args:
        names: of the images.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._by_path = {name: position for position, name in enumerate(names)}
        self._by_stem: dict[str, list[int]] = {}
        for position, name in enumerate(names):
            self._by_stem.setdefault(splitext(name.rpartition("/")[2])[0], []).append(position)

    def find(self, cell: str, folder: str, part: str | None = None) -> int | None:
        """The position of the image that a cell names; None if there is none.

        The path is looked up from the table's own folder, then from the root of the data, then as
        the end of an image's path. Of several such images, those in a folder of `part` count.

        Args:
            cell: a path with `/` or `\\`, or a name; the ending may be missing.
            folder: of the table; empty for the root.
            part: `train`, `val` or `test`, if it is known.

        Raises:
            Outside: if the path is absolute or leads out of the data.
            Ambiguous: if several images have the name.
        """
        path = cell.replace("\\", "/")
        if _ADDRESS.match(path):
            return None
        if path.startswith("/") or _DRIVE.match(cell) or "\0" in cell:
            raise Outside
        near = normpath(join(folder, path))
        if near == ".." or near.startswith("../"):
            raise Outside
        for wanted in dict.fromkeys((near, normpath(path))):
            if found := self._called(wanted):
                return self._only(found, part)
        last = near.rpartition("/")[2]
        among = self._by_stem.get(splitext(last)[0] if is_image(last) else last, [])
        if len(among) > _MOST_ALIKE:
            raise Ambiguous(*(self.names[position] for position in among[:2]))
        end = "/" + normpath(path)
        alike = ((position, "/" + self.names[position]) for position in among)
        return self._only(
            [position for position, name in alike if name.endswith(end) or _bare(name).endswith(end)], part
        )

    def _called(self, path: str) -> list[int]:
        """The image with this path, or the images with this path and an ending."""
        paths = [path] if is_image(path) else [path + ending for ending in _ENDINGS]
        return [position for path in paths if (position := self._by_path.get(path)) is not None]

    def _only(self, found: list[int], part: str | None) -> int | None:
        if len(found) > 1 and part is not None:
            found = [position for position in found if _is_in(self.names[position], part)] or found
        if len(found) > 1:
            raise Ambiguous(*(self.names[position] for position in found))
        return found[0] if found else None


def _bare(name: str) -> str:
    return splitext(name)[0]


def _is_in(name: str, part: str) -> bool:
    return any(part_of(folder) == part for folder in name.split("/")[:-1])
