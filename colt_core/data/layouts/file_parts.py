"""The part of a data set that a file's name says, as `train-00000-of-00002.parquet` does."""

from __future__ import annotations

from collections.abc import Sequence

from colt_core.data.errors import DataError
from colt_core.data.layouts.part_names import part_in, part_of


def part_of_file(name: str) -> str | None:
    """`train`, `val` or `test`, as the file's name says, or else the folder nearest to it."""
    *folders, last = name.split("/")
    return next(filter(None, (part_in(last), *map(part_of, reversed(folders)))), None)


def parts_of_files(names: Sequence[str]) -> list[str]:
    """The part of each file. All are `train` if there is one file, or no name says a part.

    Raises:
        DataError: if some names say a part and others do not.
    """
    told = [part_of_file(name) for name in names]
    if len(names) == 1 or not any(told):
        return ["train"] * len(names)
    parts = []
    for name, part in zip(names, told, strict=True):
        if part is None:
            like = next(name for name, part in zip(names, told, strict=True) if part)
            raise DataError(
                f"the name of {name!r} does not say whether it is train, val or test, as that of {like!r} does; "
                "rename it or leave it out"
            )
        parts.append(part)
    return parts
