"""The layout `parquet`: files with images in them, as the library `datasets` writes them.

An image is a struct of `bytes` and `path`, or a binary column. Only bytes are read. A path is never
opened, wherever it leads: `datasets` 5.2 writes an image folder as null bytes and absolute paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.folders import OneFile
from colt_core.data.labelled import PARTS_READ
from colt_core.data.layouts.class_labels import is_missing, labelled_by_names, labelled_by_values, whole_numbers
from colt_core.data.layouts.file_parts import parts_of_files
from colt_core.data.layouts.layout import Opened
from colt_core.data.layouts.packed_images import PackedImages
from colt_core.data.layouts.parquet_file import MAGIC, Column, ParquetFile
from colt_core.data.layouts.part_names import part_of
from colt_core.data.limits import Limits
from colt_core.data.names import is_image
from colt_core.data.sources import Files, LabelledSource, UnlabelledSource

Int64 = NDArray[np.int64]

_ENDING = ".parquet"
_LABEL_NAMES = ("label", "labels", "fine_label", "class", "category", "target")
_LABEL_KINDS = ("integer", "float", "bool", "string")


class Parquet:
    """See :class:`colt_core.data.layouts.kinds.ParquetLayout`."""

    def recognises(self, opened: Opened) -> bool:
        """Whether it is a parquet file, or has some and no image files beside them."""
        return opened.head.startswith(MAGIC) or (
            any(map(_is_parquet, opened.others)) and not any(map(is_image, opened.names))
        )

    def open_labelled(self, opened: Opened) -> LabelledSource:
        """Labels are a ClassLabel column, or one of an obvious name.

        A column that `table` names gives the parts, or else the names of the files.
        """
        files, names = _files(opened)
        columns: _Columns | None = None
        rows: dict[str, int] = {}
        labels: dict[str, Any] = {}
        parts: dict[str, list[str]] = {}
        for name, file in _each(files, names, opened.limits):
            here = _columns(file.columns(), name, opened)
            if columns is not None and here != columns:
                raise DataError(
                    f"{name!r} has other columns or class names than {next(iter(rows))!r}; write them alike"
                )
            columns = here
            rows[name] = file.rows
            labels[name] = _labels(file, here.label, name)
            if here.split is not None:
                parts[name] = _parts(file, here.split, name)
        assert columns is not None
        images = _Images(files, rows, columns.image.leaf, opened.limits)
        part_of_row = (
            np.concatenate([np.array(parts[name], dtype=object) for name in images.shards])
            if parts
            else np.repeat(parts_of_files(images.shards), [rows[name] for name in images.shards])
        )
        positions = {part: np.flatnonzero(part_of_row == part) for part in PARTS_READ}
        positions = {part: of_part for part, of_part in positions.items() if len(of_part)}
        if columns.label.kind == "string":
            texts = [text for name in images.shards for text in labels[name]]
            return labelled_by_values(images, texts, positions)
        numbers = np.concatenate([labels[name] for name in images.shards])
        if columns.label.class_names is None:
            return labelled_by_values(images, numbers, positions)
        return labelled_by_names(images, numbers, columns.label.class_names, positions)

    def open_unlabelled(self, opened: Opened) -> UnlabelledSource:
        """Every image of every file."""
        files, names = _files(opened)
        rows: dict[str, int] = {}
        leaf: str | None = None
        for name, file in _each(files, names, opened.limits):
            here = _image_column(file.columns(), name, opened).leaf
            if leaf is not None and here != leaf:
                raise DataError(f"{name!r} has other columns than {next(iter(rows))!r}; write them alike")
            leaf, rows[name] = here, file.rows
        assert leaf is not None
        return UnlabelledSource(_Images(files, rows, leaf, opened.limits))


class _Images(PackedImages):
    """The rows of parquet files."""

    def __init__(self, files: Files | OneFile, rows: dict[str, int], leaf: str, limits: Limits) -> None:
        super().__init__(files, rows, limits)
        self._leaf = leaf

    def name_of(self, shard: str, row: int) -> str:
        return f"{shard}, row {row}"

    def contents(self, shard: str, stream: BinaryIO, rows: Int64) -> Iterator[bytes]:
        for row, content in ParquetFile(stream, shard, self.limits).images(self._leaf, rows):
            if content is None:
                raise DataError(
                    f"{self.name_of(shard, row)!r} holds no bytes of its image, only a path at most, which is not "
                    'opened. Write the bytes into the table: ds.with_format("arrow").map('
                    "datasets.table.embed_table_storage, batched=True)"
                )
            if len(content) > self.limits.max_file_bytes:
                raise DataError(
                    f"{self.name_of(shard, row)!r} is larger than {self.limits.max_file_bytes:,} bytes; make it smaller"
                )
            yield content


@dataclass(frozen=True, slots=True)
class _Columns:
    image: Column
    label: Column
    split: Column | None


def _is_parquet(name: str) -> bool:
    return name.lower().endswith(_ENDING)


def _files(opened: Opened) -> tuple[Files | OneFile, list[str]]:
    """Where the files are, and their names."""
    if opened.files is None:
        assert opened.file is not None
        return OneFile(opened.file, opened.name), [opened.name]
    return opened.files, [name for name in opened.names if _is_parquet(name)]


def _each(files: Files | OneFile, names: Sequence[str], limits: Limits) -> Iterator[tuple[str, ParquetFile]]:
    for name, stream in files.streams(set(names)):
        yield name, ParquetFile(stream, name, limits)


def _columns(columns: Sequence[Column], name: str, opened: Opened) -> _Columns:
    split = opened.table.split if opened.table is not None else None
    return _Columns(
        _image_column(columns, name, opened),
        _label_column(columns, name, opened),
        _named(columns, split, "split", ("integer", "string"), name) if split is not None else None,
    )


def _image_column(columns: Sequence[Column], name: str, opened: Opened) -> Column:
    if opened.table is not None and opened.table.path is not None:
        return _named(columns, opened.table.path, "path", ("image", "binary"), name)
    found = [column for column in columns if column.is_image] or [c for c in columns if c.kind == "image"]
    found = [c for c in found if c.kind in ("image", "binary")] or [c for c in columns if c.kind == "binary"]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{name!r} has several columns of images: {_shown(found)}; name one: table: {{'path': {found[0].name!r}}}"
        )
    raise DataError(
        f"{name!r} has no column of images (a struct of bytes and path, or binary) among {_shown(columns)}; write the "
        "image files into one"
    )


def _label_column(columns: Sequence[Column], name: str, opened: Opened) -> Column:
    if opened.table is not None and opened.table.label is not None:
        return _named(columns, opened.table.label, "label", _LABEL_KINDS, name)
    found = [column for column in columns if column.class_names is not None]
    if len(found) != 1:
        among = found or [column for column in columns if column.kind in _LABEL_KINDS]
        found = [column for column in among if column.name.lower() in _LABEL_NAMES] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{name!r} has several columns that may be the label: {_shown(found)}; name one: "
            f"table: {{'label': {found[0].name!r}}}"
        )
    raise DataError(
        f"{name!r} has no column of labels (a ClassLabel, or one called {', '.join(_LABEL_NAMES)}) among "
        f"{_shown(columns)}; name one: table: {{'label': COLUMN}}"
    )


def _named(columns: Sequence[Column], wanted: str, role: str, kinds: Sequence[str], name: str) -> Column:
    """The column that the user named."""
    for column in columns:
        if column.name == wanted:
            if column.kind not in kinds:
                raise DataError(f"column {wanted!r} of {name!r} cannot be the {role}: it is {column.stored}")
            return column
    raise DataError(f"{name!r} has no column {wanted!r}; it has {_shown(columns)}")


def _shown(columns: Sequence[Column]) -> str:
    return ", ".join(repr(column.name[:100]) for column in columns[:20]) + (", ..." if len(columns) > 20 else "")


def _labels(file: ParquetFile, column: Column, name: str) -> Any:
    """int64 labels, or texts: one for each row."""
    numbers: list[Int64] = []
    texts: list[str] = []
    for first, values in file.values(column.leaf):
        here = values.to_pylist()
        if column.kind == "string":
            texts += here
            missing = [i for i, text in enumerate(here) if text is None or is_missing(text)]
        else:
            found = whole_numbers(here)
            if isinstance(found, int):
                raise DataError(
                    f"{name}, row {first + found} has the label {here[found]} in column {column.name!r}; labels must "
                    "be whole numbers from 0, or names"
                )
            numbers.append(found)
            missing = np.flatnonzero(found < 0).tolist()
        if missing:
            raise DataError(
                f"{name}, row {first + missing[0]} has no label: {column.name!r} is {here[missing[0]]}. Leave such "
                "rows out, or register the images without labels"
            )
    return texts if column.kind == "string" else np.concatenate(numbers or [np.empty(0, dtype=np.int64)])


def _parts(file: ParquetFile, column: Column, name: str) -> list[str]:
    parts: list[str] = []
    for first, values in file.values(column.leaf):
        for row, value in enumerate(values.to_pylist(), start=first):
            if column.class_names is not None and isinstance(value, int) and 0 <= value < len(column.class_names):
                value = column.class_names[value]
            part = part_of(value) if isinstance(value, str) else None
            if part is None:
                raise DataError(
                    f"{name}, row {row} has {str(value)[:100]!r} in column {column.name!r}, which is none of train, "
                    "val and test"
                )
            parts.append(part)
    return parts
