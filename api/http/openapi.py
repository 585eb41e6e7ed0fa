"""The OpenAPI document: FastAPI's, with problem documents as the errors of every operation.

`python -m api.http.openapi` prints it as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.http.errors import MEDIA_TYPE, FieldProblem, Problem, problems
from store.settings import get_settings

DESCRIPTION = """Self-hosted training and analysis for COLT: self-supervised learning on long-tailed data, helped by
out-of-distribution (OOD) images that are picked for the tail. Errors are problem documents (RFC 9457). Lists are paged:
send `next_cursor` as `cursor` to get the next page."""
TAGS = [
    {"name": "data", "description": "Uploads, data sets and OOD pools."},
    {"name": "backbones", "description": "Backbones to evaluate, and to begin runs with."},
    {"name": "jobs", "description": "Pretraining runs, their curves, probes and checkpoints."},
    {"name": "experiments", "description": "Arms compared over data sets and seeds, with intervals."},
    {"name": "tailness", "description": "Which images form the tail, and which OOD images were picked for it."},
    {"name": "workers", "description": "Worker processes and their heartbeats."},
    {"name": "session", "description": "Signing in from a browser, if the server uses tokens."},
    {"name": "health", "description": "For load balancers and monitoring."},
]


def operation_id(route: APIRoute) -> str:
    """The endpoint's name, which is stable as long as we do not rename it."""
    return route.name


def install(app: FastAPI) -> None:
    """Make `app.openapi()` return the document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _build(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _build(app: FastAPI) -> dict[str, Any]:
    root = get_settings().root_path
    schema = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
        servers=[{"url": root}] if root else None,
    )
    schemas = schema["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in (Problem, FieldProblem):
        definition = model.model_json_schema(ref_template="#/components/schemas/{model}")
        definition.pop("$defs", None)
        schemas[model.__name__] = definition
    _require_discriminators(schema)
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            _describe_errors(path, operation)
    return schema


def _require_discriminators(schema: dict[str, Any]) -> None:
    """Require the discriminator of every union member. A model has a default for its `kind`, but
    the union has none."""
    schemas = schema["components"]["schemas"]

    def visit(part: Any) -> None:
        if isinstance(part, dict):
            if "discriminator" in part:
                name, members = part["discriminator"]["propertyName"], part["discriminator"]["mapping"].values()
                for member in (schemas[reference.rpartition("/")[2]] for reference in members):
                    member["required"] = sorted({*member.get("required", []), name})
            part = list(part.values())
        if isinstance(part, list):
            for inner in part:
                visit(inner)

    visit(schema)


def _describe_errors(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    always = [400, 422, 500, 503]  # 422: any call refuses unknown query parameters
    if path.startswith("/api/v1"):
        always += [401, 403, 429]
    if "requestBody" in operation:
        always += [408, 413]
    for status, response in problems(*always).items():
        responses.setdefault(str(status), {}).update(
            {"description": response["description"], "content": response["content"]}
        )
    for status, response in responses.items():
        # FastAPI also lists the media type of successes for a declared model, but only ours is
        # sent.
        if status >= "400":
            response["content"] = {MEDIA_TYPE: response["content"][MEDIA_TYPE]}
    operation["responses"] = dict(sorted(responses.items()))


if __name__ == "__main__":
    from api.main import app as the_app

    json.dump(the_app.openapi(), sys.stdout, indent=2)
    sys.stdout.write("\n")
