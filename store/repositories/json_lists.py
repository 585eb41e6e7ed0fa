"""A condition that a JSON list column contains a string. Each engine has its own SQL for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import literal
from sqlalchemy.sql.functions import FunctionElement


class json_list_has(FunctionElement[bool]):  # noqa: N801 (reads as an SQL function)
    """`json_list_has(column, text)`: whether the list in `column` contains `text`."""

    type = Boolean()
    name = "json_list_has"
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], text: str) -> None:
        super().__init__(column, literal(text))


@compiles(json_list_has)
def _sqlite(element: json_list_has, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, text = element.clauses
    listed, wanted = compiler.process(column, **kwargs), compiler.process(text, **kwargs)
    return f"EXISTS (SELECT 1 FROM json_each({listed}) WHERE json_each.value = {wanted})"  # noqa: S608 (compiled parts)


@compiles(json_list_has, "postgresql")
def _postgresql(element: json_list_has, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, text = element.clauses
    return f"jsonb_exists({compiler.process(column, **kwargs)}, {compiler.process(text, **kwargs)})"
