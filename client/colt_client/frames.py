"""Data frames of answers, with pandas or polars."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from colt_client.base import Model
from colt_client.models import Curve

if TYPE_CHECKING:
    import pandas
    import polars

Columns = dict[str, list[Any]]


class Curves(dict[str, Curve]):
    """The curves of a job by name, each with its steps and values."""

    def columns(self) -> Columns:
        """`name`, `step` and `value`: one row for each point of each curve."""
        rows = [(name, *point) for name, curve in self.items() for point in zip(curve.step, curve.value, strict=True)]
        return {column: [row[place] for row in rows] for place, column in enumerate(("name", "step", "value"))}

    def to_pandas(self) -> pandas.DataFrame:
        """`columns()` as a frame of pandas."""
        return to_pandas(self.columns())

    def to_polars(self) -> polars.DataFrame:
        """`columns()` as a frame of polars."""
        return to_polars(self.columns())


def to_pandas(rows: Iterable[Model] | Columns) -> pandas.DataFrame:
    """A frame with a row for each item of a list, such as `to_pandas(job.rounds())`."""
    frame: pandas.DataFrame = needed("pandas").DataFrame(_columns(rows))
    return frame


def to_polars(rows: Iterable[Model] | Columns) -> polars.DataFrame:
    """A frame with a row for each item of a list, such as `to_polars(job.rounds())`."""
    frame: polars.DataFrame = needed("polars").DataFrame(_columns(rows), strict=False)
    return frame


def _columns(rows: Iterable[Model] | Columns) -> Columns:
    if isinstance(rows, Mapping):
        return dict(rows)
    dumped = [row.model_dump() for row in rows]
    names = dict.fromkeys(name for row in dumped for name in row)
    return {name: [row.get(name) for row in dumped] for name in names}


def needed(module: str, extra: str | None = None) -> Any:
    """An optional package.

    Raises:
        ImportError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise ImportError(f"this needs {name}: pip install 'colt-client[{extra or name}]'") from error
