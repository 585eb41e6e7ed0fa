"""A JSON object without some of its keys. Each engine has its own SQL for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import SQLColumnExpression, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import literal
from sqlalchemy.sql.functions import FunctionElement


class json_without(FunctionElement[Any]):  # noqa: N801 (reads as an SQL function)
    """`json_without(column, names)`: the object in `column` without these keys, to compare or group
    by. Reading it into Python would need a type."""

    type = String()
    name = "json_without"
    inherit_cache = True

    def __init__(self, column: SQLColumnExpression[Any], names: Iterable[str]) -> None:
        super().__init__(column, *(literal(name) for name in sorted(names)))


@compiles(json_without)
def _sqlite(element: json_without, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, *names = (compiler.process(clause, **kwargs) for clause in element.clauses)
    paths = [f"'$.' || {name}" for name in names]
    return f"json_remove({', '.join([column, *paths])})"


@compiles(json_without, "postgresql")
def _postgresql(element: json_without, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, *names = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"({' - '.join([column, *(f'CAST({name} AS TEXT)' for name in names)])})"
