"""Who may call: tokens, scopes, the dashboard's cookie, host names and origins."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from store.database import reading, writing
from store.models import ApiToken
from store.repositories import tokens
from tests.support.problems import pointers, problem
from tests.support.results import Rows
from tests.support.settings import forget_settings

API = "/api/v1"
BODY = {"name": "d", "source": {"kind": "sample", "name": "digits"}}


def token(*scopes: str) -> str:
    with writing() as session:
        return tokens.create_token(session, "test", scopes)


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


def refused_reading(client: TestClient) -> httpx.Response:
    """The answer, at most a second after the first token was created."""
    made_at = time.monotonic()
    while True:
        asked_at = time.monotonic()
        answer = client.get(f"{API}/jobs")
        if answer.status_code != 200:
            problem(answer, 401)
            return answer
        assert asked_at < made_at + 1
        time.sleep(0.05)


def test_loopback_needs_no_token_until_there_is_one(client: TestClient) -> None:
    assert client.get(f"{API}/jobs").status_code == 200
    made = token("read", "write")
    problem(client.post(f"{API}/datasets", json=BODY), 401)  # at once
    problem(client.get(f"{API}/jobs", headers=bearer(made + "x")), 401)
    answer = refused_reading(client)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get(f"{API}/jobs", headers=bearer(made)).status_code == 200
    problem(client.get(f"{API}/jobs", headers={"Authorization": f"Basic {made}"}), 401)


def test_scopes_are_kept(client: TestClient) -> None:
    read, write = token("read"), token("write")
    assert client.get(f"{API}/datasets", headers=bearer(read)).status_code == 200
    assert "write" in str(problem(client.post(f"{API}/datasets", json=BODY, headers=bearer(read)), 403)["detail"])
    assert client.post(f"{API}/datasets", json=BODY, headers=bearer(write)).status_code == 202
    problem(client.get(f"{API}/datasets", headers=bearer(write)), 403)


def test_every_call_is_guarded(client: TestClient, app: FastAPI) -> None:
    token("read", "write")
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            if path.startswith(API) and not path.startswith(f"{API}/session"):
                address = path.replace("{index}", "0").replace("{number}", "1")
                problem(client.request(method.upper(), address, params={"filename": "a.zip"}), 401)
    for path in ("/healthz", "/metrics", "/docs", "/openapi.json"):
        assert client.get(path).status_code == 200


def test_tokens_are_kept_as_hashes(home: Path) -> None:
    made = token("read")
    assert len(made) >= 43  # 256 bits
    with reading() as session:
        kept = session.query(ApiToken).one()
        assert made not in (kept.sha256, kept.name)
        assert len(kept.sha256) == 64
        assert tokens.find(session, made) is kept
    for scopes in ((), ("admin",)):
        with pytest.raises(ValueError, match="scopes"):
            token(*scopes)


def test_the_dashboard_signs_in_by_cookie(client: TestClient) -> None:
    made = token("read", "write")
    problem(client.post(f"{API}/session", json={"token": "wrong"}), 401)
    assert pointers(client.post(f"{API}/session", json={})) == ["/token"]
    answer = client.post(f"{API}/session", json={"token": made})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get(f"{API}/jobs").status_code == 200
    assert client.post(f"{API}/datasets", json=BODY, headers={"Origin": "http://localhost"}).status_code == 202
    assert client.delete(f"{API}/session").status_code == 204
    problem(client.get(f"{API}/jobs"), 401)


def test_the_cookie_is_for_https_alone_where_the_dashboard_is(home: Path, app: FastAPI) -> None:
    made = token("read")
    for scheme, secure in (("https", True), ("http", False)):
        with TestClient(app, base_url=f"{scheme}://localhost") as client:
            cookie = client.post(f"{API}/session", json={"token": made}).headers["set-cookie"].lower()
        assert ("; secure" in cookie) is secure
        assert "; path=/api" in cookie
        assert "max-age" not in cookie and "expires" not in cookie  # gone with the browser


def test_a_revoked_token_opens_nothing_any_more(client: TestClient) -> None:
    made, kept = token("read"), token("read")
    client.post(f"{API}/session", json={"token": made})
    assert client.get(f"{API}/jobs").status_code == 200
    with writing() as session:
        found = tokens.find(session, made)
        assert found is not None and tokens.revoke(session, found.id)
    problem(client.get(f"{API}/jobs"), 401)  # by cookie
    problem(client.get(f"{API}/jobs", headers=bearer(made)), 401)
    assert client.get(f"{API}/jobs", headers=bearer(kept)).status_code == 200


def test_a_cookie_from_before_does_no_harm(client: TestClient) -> None:
    client.cookies.set("colt_session", "old", domain="localhost.local", path="/api")
    assert client.get(f"{API}/jobs").status_code == 200
    token("read")
    refused_reading(client)


def test_other_sites_pages_cannot_write(client: TestClient) -> None:
    for origin in ("http://evil.example", "http://localhost:9999", "null", "https://localhost.evil.example"):
        problem(client.post(f"{API}/datasets", json=BODY, headers={"Origin": origin}), 403)
    assert client.get(f"{API}/datasets", headers={"Origin": "http://evil.example"}).json()["items"] == []
    assert client.post(f"{API}/datasets", json=BODY, headers={"Origin": "http://localhost"}).status_code == 202


def test_host_names_are_known(client: TestClient) -> None:
    for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"):
        assert client.get("/healthz", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "localhost.evil.example", "[::2]", "127.0.0.2"):
        problem(client.get("/healthz", headers={"Host": host}), 400)


REACHABLE = pytest.mark.parametrize(
    ("variable", "value"), [("COLT_HOST", "0.0.0.0"), ("COLT_ALLOWED_HOSTS", "studio.example.org")]
)


@REACHABLE
def test_another_address_or_name_always_needs_a_token(
    client: TestClient, rows: Rows, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    forget_settings()
    problem(client.get(f"{API}/jobs"), 401)
    made = token("read")
    assert client.get(f"{API}/jobs", headers=bearer(made)).status_code == 200


@REACHABLE
def test_the_server_refuses_to_be_reachable_without_a_token(
    home: Path, database_url: str, variable: str, value: str
) -> None:
    environment = os.environ | {variable: value, "COLT_PORT": "1"}
    ended = subprocess.run([sys.executable, "-m", "api"], env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "token" in ended.stderr
    assert "Traceback" not in ended.stderr
