"""The client's types, from the OpenAPI document.

Answers are pydantic models that also read what a newer server says: further fields, further names
and further kinds of a union. Requests are typed dictionaries, which the server checks.
"""

from __future__ import annotations

import json
import keyword
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

Schema = dict[str, Any]
NAMES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
# What the methods of the client take as arguments of their own.
ARGUMENTS = {
    "NewBackbone": {"name", "source"},
    "NewDataset": {"name", "source"},
    "NewOodPool": {"name", "source"},
    "NewJob": {"dataset_id", "ood_pool_id", "evaluation_dataset_id"},
    "NewExperiment": {"dataset_ids", "ood_pool_id"},
}
LEFT_OUT = {"NewSession", "SessionInfo"}  # for browsers
WIDTH = 92


def answers(document: Schema) -> str:
    """The module of all models that a success may hold."""
    return _module(
        "What the server answers.",
        ["import datetime as dt", "from typing import Any, Literal", "", "from colt_client.base import Model"],
        _Writer(document, is_answer=True).definitions(_roots(document, "responses")),
    )


def requests(document: Schema) -> str:
    """The module of all typed dictionaries that a body may hold."""
    return _module(
        "What requests hold.",
        ["from typing import Any, Literal, Required, TypedDict"],
        _Writer(document, is_answer=False).definitions(_roots(document, "requestBody")),
    )


def _module(title: str, imports: list[str], definitions: Iterable[str]) -> str:
    head = [f'"""{title} Written by `make client` from the OpenAPI document."""', "from __future__ import annotations"]
    return "\n\n".join([*head, "\n".join(imports), *definitions]) + "\n"


def _roots(document: Schema, part: str) -> list[Schema]:
    """The schemas of all bodies or of all successes."""
    found = []
    for operations in document["paths"].values():
        for operation in operations.values():
            content = operation.get("requestBody", {}) if part == "requestBody" else None
            successes = [answer for status, answer in operation["responses"].items() if status < "300"]
            for holder in [content] if content is not None else successes:
                found += [kind["schema"] for name, kind in holder.get("content", {}).items() if "json" in name]
    return found


class _Writer:
    def __init__(self, document: Schema, *, is_answer: bool) -> None:
        self._schemas: dict[str, Schema] = document["components"]["schemas"]
        self._is_answer = is_answer
        self._written: dict[str, str] = {}
        self._begun: set[str] = set()

    def definitions(self, roots: Iterable[Schema]) -> list[str]:
        """One of each schema that the roots need, after those that it needs itself."""
        for root in roots:
            self._type(root)
        return list(self._written.values())

    def _named(self, name: str) -> str:
        """The type's name. Its definition is written if it was not yet."""
        schema = self._schemas[name]
        if name.startswith("Page_"):
            self._type(schema["properties"]["items"])
            return "Any"  # the client's own Page
        if name in LEFT_OUT:
            return "Any"
        if name not in self._begun:
            self._begun.add(name)
            self._written[name] = self._definition(name, schema)
        return name

    def _definition(self, name: str, schema: Schema) -> str:
        if "properties" not in schema:
            return f"{name} = {self._type(schema)}"
        required = schema.get("required", [])
        base = "Model" if self._is_answer else "TypedDict, total=False"
        lines = [f"class {name}({base}):", *_docstring(schema)]
        for field, inner in schema["properties"].items():
            if field in ARGUMENTS.get(name, ()) and not self._is_answer:
                continue
            if not field.isidentifier() or keyword.iskeyword(field):
                raise ValueError(f"{name}.{field} cannot be a field")
            lines += [f"    {field}: {self._field(inner, field in required)}", *_docstring(inner)]
        return "\n".join(lines if len(lines) > 1 else [*lines, "    pass"])

    def _field(self, schema: Schema, required: bool) -> str:
        kind = self._type(schema)
        if not self._is_answer:
            return f"Required[{kind}]" if required else kind
        if required:
            return kind
        default = schema.get("default")
        return f"{kind} = {default!r}" if default is not None else f"{_union([kind, 'None'])} = None"

    def _type(self, schema: Schema) -> str:
        if "$ref" in schema:
            return self._named(schema["$ref"].rpartition("/")[2])
        if "const" in schema:
            return f"Literal[{schema['const']!r}]"
        if "enum" in schema:
            names = f"Literal[{', '.join(map(repr, schema['enum']))}]"
            return f"{names} | str" if self._is_answer else names
        if members := schema.get("anyOf") or schema.get("oneOf"):
            kinds = [self._type(member) for member in members]
            if self._is_answer and "discriminator" in schema:
                kinds.append("dict[str, Any]")
            return _union(kinds)
        match schema.get("type"):
            case "array":
                return f"list[{self._type(schema.get('items', {}))}]"
            case "object":
                return self._object(schema)
            case "string" if schema.get("format") == "date-time":
                return "dt.datetime"
            case str(name):
                return NAMES[name]
        return "Any"

    def _object(self, schema: Schema) -> str:
        if "properties" in schema and not self._is_answer:
            name = schema["title"]
            self._schemas.setdefault(name, schema)
            return self._named(name)
        inner = schema.get("additionalProperties")
        # Settings depend on the kinds of a run.
        return f"dict[str, {self._type(inner) if isinstance(inner, dict) else 'Any'}]"


def _union(kinds: list[str]) -> str:
    parts = [part for kind in kinds for part in _split(kind)]
    return " | ".join(sorted(dict.fromkeys(parts), key="None".__eq__))


def _split(kind: str) -> Iterator[str]:
    """The members of a union, not those within brackets."""
    depth, begin = 0, 0
    for place, character in enumerate(kind):
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == "|" and not depth:
            yield kind[begin:place].strip()
            begin = place + 1
    yield kind[begin:].strip()


def _docstring(schema: Schema) -> list[str]:
    text = schema.get("description", "")
    if not text:
        return []
    paragraphs = [textwrap.wrap(paragraph, WIDTH) for paragraph in text.replace("\\", "\\\\").split("\n\n")]
    lines = [line for paragraph in paragraphs for line in [*paragraph, ""]][:-1]
    if len(lines) == 1:
        return [f'    """{lines[0]}"""']
    return [f'    """{lines[0]}', *(f"    {line}".rstrip() for line in lines[1:]), '    """']


def types_of(document: Schema) -> dict[str, str]:
    """The generated modules, by file name."""
    return {"models.py": answers(json.loads(json.dumps(document))), "requests.py": requests(document)}
