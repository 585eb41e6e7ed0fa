"""What holds for every error response."""

from __future__ import annotations

import httpx


def problem(response: httpx.Response, status: int) -> dict[str, object]:
    """The problem document of an answer that must have this status."""
    assert response.status_code == status, (response.status_code, response.text)
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) >= {"type", "title", "status", "detail", "instance"}
    assert body["status"] == status
    assert body["instance"] == response.request.url.path
    assert "Traceback" not in response.text
    return body


def pointers(response: httpx.Response) -> list[str]:
    """Pointers to the values that a 422 names as wrong."""
    errors = problem(response, 422)["errors"]
    assert isinstance(errors, list)
    return [error["pointer"] for error in errors]
