"""Options that several commands have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Never

import typer

from cli.errors import Refused

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Address of the service. Default: COLT_URL, or this machine's."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, with the fields of the HTTP API.")]
Most = Annotated[int, typer.Option("--limit", "-n", min=1, help="Most lines to show.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting. The value is JSON, or else a string. Repeatable."),
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has ended.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write. Default: standard output.")
]


def settings_of(pairs: list[str] | None, *, option: str = "--set") -> dict[str, Any]:
    """The settings that `NAME=VALUE` pairs say.

    Raises:
        BadParameter: a pair has no name or no `=`.
    """
    found = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint=option)
        found[name] = _typed(value)
    return found


def _typed(value: str) -> Any:
    try:
        return json.loads(value, parse_constant=_no_number)  # NaN and Infinity are no JSON
    except ValueError:
        return value


def _no_number(name: str) -> Never:
    raise ValueError(name)


def read_file(path: Path) -> dict[str, Any]:
    """What a YAML or JSON file says, which is a mapping.

    Raises:
        Refused: it cannot be read, or says something else.
    """
    import yaml

    try:
        said = yaml.safe_load(path.read_text("utf-8"))  # JSON is YAML
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Refused(f"cannot read {path}: {error}") from error
    if not isinstance(said, dict):
        raise Refused(f"{path} must hold names and values, such as `epochs: 200`")
    return said


def given(**values: Any) -> dict[str, Any]:
    """The options that were given: neither None nor an empty list."""
    return {name: value for name, value in values.items() if value is not None and value != []}
