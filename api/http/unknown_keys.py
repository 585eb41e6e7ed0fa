"""The message for an unknown key of a body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request

from api.http.templates import route_template
from colt_core.refusals import unknown_name


def unknown_key(request: Request, location: Sequence[int | str]) -> str:
    """The message for this key. It suggests a known key with a similar name.

    Args:
        location: pydantic's `loc`, which begins with `body` and ends with the key.
    """
    document = request.app.openapi()
    operation = document["paths"].get(route_template(request.scope), {}).get(request.method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    known = keys_at(schema, location[1:-1], document["components"]["schemas"])
    return unknown_name("key", location[-1], known)


def keys_at(schema: Mapping[str, Any], steps: Sequence[int | str], definitions: Mapping[str, Any]) -> list[str]:
    """The keys that the schema allows in the object at the end of `steps`. Empty if it describes no
    such object.

    Args:
        steps: as in pydantic's `loc`: keys, positions in lists, and tags of union members.
        definitions: what `$ref` names.
    """
    if "$ref" in schema:
        return keys_at(definitions[schema["$ref"].rpartition("/")[2]], steps, definitions)
    tagged = schema.get("discriminator", {}).get("mapping", {})
    if steps and steps[0] in tagged:
        return keys_at({"$ref": tagged[steps[0]]}, steps[1:], definitions)
    for member in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if found := keys_at(member, steps, definitions):
            return found
    properties = schema.get("properties", {})
    if not steps:
        return list(properties)
    inner = properties.get(steps[0]) if isinstance(steps[0], str) else schema.get("items")
    return keys_at(inner, steps[1:], definitions) if inner else []
