"""Reads an untrusted parquet file of images in small batches.

pyarrow streams the pages of a column, so that a row group may be larger than memory. What the file
claims of itself is checked before its pages are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.layouts.need import need
from colt_core.data.layouts.parquet_pages import PagesDamaged, look_at_pages
from colt_core.data.limits import Limits, Meter

Int64 = NDArray[np.int64]

MAGIC = b"PAR1"
_MAX_FOOTER = 2**26  # bytes
_MAX_NAMES = 2**24  # bytes of one text in the footer; the schema of `datasets` is one
_MAX_LISTED = 500_000  # columns or row groups in the footer
_BUFFER = 2**20  # bytes of a column that pyarrow reads at once
_BATCH_BYTES = 2**23  # by the mean
_WORST_BATCH_BYTES = 2**25
_BATCH_ROWS = 2**16


@dataclass(frozen=True, slots=True)
class Column:
    """A column at the top of the schema.

    Attributes:
        kind: `image` (a struct of bytes and path), `binary`, `integer`, `float`, `bool`, `string`
            or `other`.
        leaf: the path of what is read: the bytes within a struct, else the column's name.
        stored: pyarrow's name of its type.
        class_names: of a ClassLabel of `datasets`; None for other columns.
        is_image: whether `datasets` calls it an Image.
    """

    name: str
    kind: str
    leaf: str
    stored: str = field(compare=False)
    class_names: tuple[str, ...] | None = None
    is_image: bool = False


class ParquetFile:
    """One open file. Rows are counted from 0, as `datasets` and pandas count them.

    Raises:
        DataError: if the file is damaged, encrypted, or claims more than `limits` allow.
    """

    def __init__(self, stream: BinaryIO, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._stream = stream
        self._size = _checked_size(stream, name)
        with self._damage():
            self._file = need("pyarrow.parquet", "parquet files").ParquetFile(
                stream,
                buffer_size=_BUFFER,
                pre_buffer=False,
                thrift_string_size_limit=_MAX_NAMES,
                thrift_container_size_limit=_MAX_LISTED,
            )
            self._metadata = self._file.metadata
            self.rows: int = self._metadata.num_rows
            groups = range(self._metadata.num_row_groups)
            self._ends = np.cumsum([0, *(self._metadata.row_group(group).num_rows for group in groups)])
        if self.rows < 0 or np.any(np.diff(self._ends) < 0) or self.rows != self._ends[-1]:
            raise DataError(f"{name!r} contradicts itself about its number of rows; write it again")
        if self.rows > limits.max_files:
            raise DataError(f"{name!r} holds {self.rows:,} rows, more than {limits.max_files:,}; split it up")

    def columns(self) -> list[Column]:
        """The columns, in the order of the file.

        Raises:
            DataError: if two have one name.
        """
        with self._damage():
            schema = self._file.schema_arrow
            features = _features(schema.metadata)
            columns = [_column(found, features.get(found.name)) for found in schema]
        if len({column.name for column in columns}) < len(columns):
            raise DataError(f"{self._name!r} has two columns of one name; rename one")
        return columns

    def values(self, leaf: str) -> Iterator[tuple[int, Any]]:
        """(first row, pyarrow array) of each batch of a column."""
        first = 0
        rows = self._batch_rows(leaf, range(len(self._ends) - 1))
        with self._damage():
            for batch in self._file.iter_batches(rows, columns=[leaf], use_threads=False):
                yield first, batch.column(0)
                first += len(batch)
        if first != self.rows:
            raise DataError(f"{self._name!r} holds {first:,} rows but claims {self.rows:,}; write it again")

    def images(self, leaf: str, rows: Int64) -> Iterator[tuple[int, bytes | None]]:
        """(row, image file) of each of `rows`, which ascend. None: the row has no bytes."""
        groups = np.unique(np.searchsorted(self._ends, rows, side="right") - 1).tolist()
        batch_rows = self._batch_rows(leaf, groups)
        with self._damage():
            batches = self._file.iter_batches(batch_rows, row_groups=groups, columns=[leaf], use_threads=False)
            row_of = np.concatenate([np.arange(self._ends[group], self._ends[group + 1]) for group in groups])
            place, done = np.searchsorted(row_of, rows), 0  # `row_of` is what the batches hold
            for batch in batches:
                column = batch.column(0)
                if leaf != batch.schema.field(0).name:
                    column = column.flatten()[0]  # of the struct; a null struct has null bytes
                first, last = np.searchsorted(place, (done, done + len(batch)))
                for index in place[first:last] - done:
                    yield int(row_of[done + index]), column[int(index)].as_py()
                done += len(batch)
        if done != len(row_of):
            raise DataError(f"{self._name!r} holds fewer rows than it claims; write it again")

    def _batch_rows(self, leaf: str, groups: Sequence[int]) -> int:
        """How many rows to read at once, so that they take about _BATCH_BYTES.

        A few bytes may stand for a large value, where values are entries of a dictionary or are
        made from the value before. Each is counted as the whole dictionary, or the largest page.

        Raises:
            DataError: if the column unpacks to more than allowed.
        """
        meter = Meter(self._limits, self._size)
        most = _BATCH_ROWS
        with self._damage():
            for group in groups:
                of_group = self._metadata.row_group(group)
                chunk = next(
                    chunk
                    for chunk in (of_group.column(index) for index in range(of_group.num_columns))
                    if chunk.path_in_schema == leaf
                )
                start = chunk.dictionary_page_offset or chunk.data_page_offset
                if not 0 < start <= start + chunk.total_compressed_size <= self._size:
                    raise PagesDamaged
                pages = look_at_pages(self._stream, start, chunk.total_compressed_size, of_group.num_rows + 2)
                meter.add(pages.dictionary + pages.data)
                of_row = pages.largest if "DELTA_BYTE_ARRAY" in chunk.encodings else pages.dictionary
                mean = pages.data // max(1, of_group.num_rows)
                most = min(most, _BATCH_BYTES // max(1, mean), _WORST_BATCH_BYTES // max(1, of_row))
        return max(1, most)

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """What pyarrow raises on bytes that it does not understand becomes a DataError."""
        try:
            yield
        except DataError:
            raise
        except MemoryError as error:
            raise DataError(f"{self._name!r} needs too much memory; write it with smaller row groups") from error
        except Exception as error:  # on malicious bytes, decoders raise almost anything
            raise DataError(f"{self._name!r} is damaged, or of a kind that is not read; write it again") from error


def _checked_size(stream: BinaryIO, name: str) -> int:
    """The size of the file, whose ends must be those of a parquet file."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - 8))
    footer = stream.read(8)
    stream.seek(0)
    if size < 12 or stream.read(4) != MAGIC or footer[4:] != MAGIC:
        raise DataError(f"{name!r} is not a parquet file, or is cut short; send it again")
    if int.from_bytes(footer[:4], "little") > min(_MAX_FOOTER, size - 12):
        raise DataError(f"the footer of {name!r} is too large or cut short; write it with fewer row groups")
    stream.seek(0)
    return size


def _features(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    """What `datasets` wrote about the columns: name to type."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _column(found: Any, feature: Any) -> Column:
    types = need("pyarrow.types", "parquet files")
    feature = feature if isinstance(feature, dict) else {}
    names = feature.get("names")
    is_class = feature.get("_type") == "ClassLabel" and isinstance(names, list)
    class_names = tuple(map(str, names)) if is_class else None
    kind, leaf, stored = "other", found.name, found.type
    if types.is_dictionary(stored):
        stored = stored.value_type
    if types.is_struct(stored) and stored.get_field_index("bytes") >= 0 and _is_binary(stored.field("bytes").type):
        kind, leaf = "image", f"{found.name}.bytes"
    elif _is_binary(stored):
        kind = "binary"
    elif types.is_integer(stored):
        kind = "integer"
    elif types.is_floating(stored):
        kind = "float"
    elif types.is_boolean(stored):
        kind = "bool"
    elif types.is_string(stored) or types.is_large_string(stored) or types.is_string_view(stored):
        kind = "string"
    return Column(found.name, kind, leaf, str(found.type)[:100], class_names, feature.get("_type") == "Image")


def _is_binary(stored: Any) -> bool:
    types = need("pyarrow.types", "parquet files")
    return bool(types.is_binary(stored) or types.is_large_binary(stored) or types.is_binary_view(stored))
