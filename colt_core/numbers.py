"""Models whose numbers are not given as booleans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, ValidationError, model_validator

from colt_core.refusals import problem


class WithNumbers(BaseModel):
    """A model that refuses `true` and `false` for its numbers.

    Pydantic would read them as 1 and 0. Its strict mode would also refuse lists for tuples, and
    the text "1e-3", which is what YAML 1.1 calls a number without a dot.
    """

    @model_validator(mode="before")
    @classmethod
    def _booleans_are_no_numbers(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            wrong = [(name, values[name]) for name in _numbers(cls) if name in values and _has_boolean(values[name])]
            if wrong:
                told = [problem(name, "must be a number, not true or false", value) for name, value in wrong]
                raise ValidationError.from_exception_data(cls.__name__, told)
        return values


@cache
def _numbers(model: type[BaseModel]) -> tuple[str, ...]:
    """The fields that hold numbers, alone or in lists, and no booleans."""
    types = {name: list(_types(field.annotation)) for name, field in model.model_fields.items()}
    return tuple(name for name, of in types.items() if (int in of or float in of) and bool not in of)


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)


def _has_boolean(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(isinstance(one, bool) for one in value))
