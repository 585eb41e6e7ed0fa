"""Messages about refused settings and kinds, as parts of pydantic's ValidationError."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

MAX_EXPLAINED = 50  # unknown names of one request that get an explanation


def unknown_setting(name: Any, known: Iterable[str]) -> str:
    """The message about a setting that no kind reads."""
    return unknown_name("setting", name, known)


def unknown_name(noun: str, name: Any, known: Iterable[str]) -> str:
    """The message about an unknown name, such as that of a setting or a key."""
    near = get_close_matches(name, known, n=1) if isinstance(name, str) else []
    return f"Unknown {noun} {name!r:.60}.{f' Did you mean {near[0]!r}?' if near else ''}"


def problem(name: Any, what: str, value: Any) -> InitErrorDetails:
    """One problem of a setting, for `ValidationError.from_exception_data`."""
    return _details("setting", what, (name,), value)


def problems_of(error: ValidationError) -> Iterator[InitErrorDetails]:
    """The problems of an error, to raise them in another one."""
    for item in error.errors(include_url=False):
        yield _details(item["type"], item["msg"].removeprefix("Value error, "), item["loc"], item["input"])


def _details(error_type: str, what: str, place: tuple[int | str, ...], value: Any) -> InitErrorDetails:
    message = what.replace("{", "(").replace("}", ")")  # pydantic would fill in braces from a context
    return InitErrorDetails(type=PydanticCustomError(error_type, message), loc=place, input=value)
