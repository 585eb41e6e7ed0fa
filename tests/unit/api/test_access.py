"""Who may call: tokens, scopes, the dashboard's cookie, host names and origins."""

from __future__ import annotations

import datetime as dt
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import cli.tokens
from api.access.wrong_tokens import MOST_WRONG
from api.main import create_app
from cli.errors import Refused
from cli.preflight import check_access
from store.database import reading, writing
from store.models import ApiSession, ApiToken, utc_now
from store.repositories import sessions, tokens
from store.settings import get_settings
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
    # An estimate is asked for by POST, and changes nothing.
    job = {"dataset_id": "none", "config": {}}
    assert pointers(client.post(f"{API}/jobs/estimate", json=job, headers=bearer(read))) == ["/dataset_id"]
    problem(client.post(f"{API}/jobs/estimate", json=job, headers=bearer(write)), 403)
    problem(client.post(f"{API}/jobs", json=job, headers=bearer(read)), 403)


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
    assert client.get(f"{API}/session").json() == {"signed_in": True, "token_name": "test"}
    assert client.post(f"{API}/datasets", json=BODY, headers={"Origin": "http://localhost"}).status_code == 202
    secret = client.cookies["colt_session"]
    assert client.delete(f"{API}/session").status_code == 204
    problem(client.get(f"{API}/jobs"), 401)
    assert client.get(f"{API}/session").json() == {"signed_in": False, "token_name": None}
    client.cookies.set("colt_session", secret, domain="localhost.local", path="/api")  # somebody kept it
    problem(client.get(f"{API}/jobs"), 401)


def test_the_cookie_is_not_the_token_and_neither_is_what_the_database_keeps(client: TestClient) -> None:
    made = token("read")
    cookies = []
    for _ in range(2):
        client.post(f"{API}/session", json={"token": made})
        cookies.append(client.cookies["colt_session"])
    assert len({made, *cookies}) == 3
    assert all(len(cookie) >= 43 for cookie in cookies)  # 256 bits
    with reading() as session:
        kept = session.query(ApiSession).all()
        assert len(kept) == 2
        assert not {made, *cookies} & {str(value) for row in kept for value in (row.id, row.sha256, row.token_id)}
    for wrong in cookies:  # the secret of a session is no token, and a token is no session
        problem(client.get(f"{API}/jobs", headers=bearer(wrong)), 401)
    client.cookies.clear()
    client.cookies.set("colt_session", made, domain="localhost.local", path="/api")
    problem(client.get(f"{API}/jobs"), 401)


def test_a_session_ends_by_itself(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    made = token("read")
    monkeypatch.setenv("COLT_SESSION_SECONDS", "600")
    forget_settings()
    client.post(f"{API}/session", json={"token": made})
    assert client.get(f"{API}/jobs").status_code == 200
    with writing() as session:
        row = session.query(ApiSession).one()
        assert abs(row.expires_at - utc_now() - dt.timedelta(seconds=600)) < dt.timedelta(seconds=60)
        row.expires_at = utc_now()
    assert "Sign in again" in str(problem(client.get(f"{API}/jobs"), 401)["detail"])
    with writing() as session:
        sessions.remove_expired(session)
        assert session.query(ApiSession).count() == 0
    assert client.get(f"{API}/jobs", headers=bearer(made)).status_code == 200


def test_a_token_has_so_many_sessions(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_OPEN", 3)
    made, other = token("read"), token("read")
    client.post(f"{API}/session", json={"token": other})
    kept = client.cookies["colt_session"]
    opened = []
    for _ in range(5):
        client.post(f"{API}/session", json={"token": made})
        opened.append(client.cookies["colt_session"])
    with reading() as session:
        assert [sessions.find(session, secret) is not None for secret in [kept, *opened]] == [1, 0, 0, 1, 1, 1]
        assert session.query(ApiSession).count() == 4


@pytest.mark.parametrize(("scheme", "name"), [("https", "__host-colt_session"), ("http", "colt_session")])
def test_the_cookie_is_for_https_alone_where_the_dashboard_is(home: Path, app: FastAPI, scheme: str, name: str) -> None:
    made = token("read")
    with TestClient(app, base_url=f"{scheme}://localhost") as client:
        cookie = client.post(f"{API}/session", json={"token": made}).headers["set-cookie"].lower()
        assert cookie.startswith(f"{name}=")
        assert ("; secure" in cookie) is (scheme == "https")
        assert ("; path=/;" in f"{cookie};") is (scheme == "https") and "; domain" not in cookie
        assert "max-age" not in cookie and "expires" not in cookie  # gone with the browser
        assert client.get(f"{API}/jobs").status_code == 200
        gone = client.delete(f"{API}/session").headers["set-cookie"].lower()
        assert gone.startswith(f'{name}="";') and ("; secure" in gone) is (scheme == "https")


def test_over_https_a_cookie_that_anybody_may_plant_is_not_read(home: Path, app: FastAPI) -> None:
    made = token("read")
    with TestClient(app, base_url="https://localhost") as client:
        client.post(f"{API}/session", json={"token": made})
        planted = client.cookies["__Host-colt_session"]
        client.cookies.clear()
        client.cookies.set("colt_session", planted, domain="localhost.local", path="/api")
        problem(client.get(f"{API}/jobs"), 401)


def test_only_a_named_proxy_is_believed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = token("read")
    monkeypatch.setenv("COLT_TRUSTED_PROXIES", "10.0.0.0/24, 192.0.2.1")
    forget_settings()
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    app = create_app(dashboard=Path("/nowhere"))
    for address, believed in (("10.0.0.7", True), ("192.0.2.1", True), ("10.0.1.7", False), ("127.0.0.1", False)):
        with TestClient(app, base_url="http://localhost", client=(address, 50_000)) as client:
            answer = client.post(f"{API}/session", json={"token": made}, headers=forwarded)
            assert answer.headers["set-cookie"].startswith("__Host-") is believed, address
            origin = {"Origin": "https://localhost"} | forwarded
            expected = 401 if believed else 403
            problem(client.post(f"{API}/datasets", json=BODY, headers=origin), expected)
            for number in range(MOST_WRONG):
                client.get(f"{API}/jobs", headers=bearer(f"guess {number}") | forwarded)
            elsewhere = forwarded | {"X-Forwarded-For": "203.0.113.10"}
            expected = 401 if believed else 429  # unless believed, all are one client
            problem(client.get(f"{API}/jobs", headers=bearer("another") | elsewhere), expected)


def test_a_revoked_token_opens_nothing_any_more(client: TestClient) -> None:
    made, kept = token("read"), token("read")
    client.post(f"{API}/session", json={"token": made})
    assert client.get(f"{API}/jobs").status_code == 200
    with writing() as session:
        found = tokens.find(session, made)
        assert found is not None and tokens.revoke(session, found.id)
    problem(client.get(f"{API}/jobs"), 401)  # by cookie
    with reading() as session:
        assert session.query(ApiSession).count() == 0
    problem(client.get(f"{API}/jobs", headers=bearer(made)), 401)
    assert client.get(f"{API}/jobs", headers=bearer(kept)).status_code == 200


def test_a_cookie_from_before_does_no_harm(client: TestClient) -> None:
    client.cookies.set("colt_session", "old", domain="localhost.local", path="/api")
    assert client.get(f"{API}/jobs").status_code == 200
    token("read")
    refused_reading(client)


def test_the_service_stays_closed_when_the_last_token_is_revoked(
    client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.tokens.show() == 0
    assert "everybody may use the service" in capsys.readouterr().out
    made = token("read", "write")
    refused_reading(client)
    with pytest.raises(Refused, match="revoke them first"):
        cli.tokens.open_again(confirmed=True)
    with reading() as session:
        found = tokens.find(session, made)
    assert found is not None and cli.tokens.revoke(found.id) == 0
    assert "stays closed" in capsys.readouterr().out
    problem(client.post(f"{API}/datasets", json=BODY), 401)
    problem(client.get(f"{API}/jobs"), 401)
    problem(client.get(f"{API}/jobs", headers=bearer(made)), 401)
    with pytest.raises(Refused, match="no token with the id"):
        cli.tokens.revoke(found.id)
    assert cli.tokens.show() == 0
    assert "stays closed" in capsys.readouterr().out

    for typed in ("", "yes"):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
        with pytest.raises(Refused, match="nothing was changed"):
            cli.tokens.open_again(confirmed=False)
    problem(client.get(f"{API}/jobs"), 401)
    monkeypatch.setattr("sys.stdin", io.StringIO("open\n"))
    assert cli.tokens.open_again(confirmed=False) == 0
    assert client.post(f"{API}/datasets", json=BODY).status_code == 202
    problem(client.get(f"{API}/jobs", headers=bearer(made)), 401)  # revoked is revoked


def test_a_tokens_name_can_be_seen(home: Path) -> None:
    for name in ("", " ", "a\nb", "\x1b[2J", "a\u202eb", "x" * 101):
        with pytest.raises(Refused, match="choose a name"):
            cli.tokens.create(name, ["read"])


def test_other_sites_pages_cannot_write(client: TestClient) -> None:
    def write(**headers: str) -> httpx.Response:
        return client.post(
            f"{API}/datasets", json=BODY, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    for origin in (
        *("http://evil.example", "http://localhost:9999", "null", "https://localhost.evil.example"),
        *(
            "https://localhost",
            "https://localhost:80",
            "localhost",
            "http://localhost:",
            "http://localhost:0",
            "http://localhost:80:80",
        ),
        *("http://localhost/", "http://user@localhost", "ftp://localhost", ""),
    ):
        problem(write(Origin=origin), 403)
    problem(write(Sec_Fetch_Site="cross-site"), 403)
    problem(write(Origin="http://localhost", Sec_Fetch_Site="cross-site"), 403)
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):  # a link, which reads
        assert client.get(f"{API}/datasets", headers=headers).json()["items"] == []
    for own in ("http://localhost", "HTTP://LOCALHOST", "http://localhost:80"):
        assert write(Origin=own, Sec_Fetch_Site="same-origin").status_code == 202
    assert write(Origin="http://localhost:8000", Host="localhost:8000").status_code == 202
    assert write(Sec_Fetch_Site="none").status_code == 202  # typed by the reader


def test_host_names_are_known(client: TestClient) -> None:
    for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "[::1]"):
        assert client.get("/healthz", headers={"Host": host}).status_code == 200
    for host in (
        *("evil.example", "localhost.evil.example", "[::2]", "127.0.0.2", ""),
        *("localhost:evil.example", "localhost:", "localhost:0", "localhost:65536", "localhost:8000:1", "localhost:-1"),
        *("[::1]evil.example", "[::1]:", "::1", "evil@localhost", "localhost/"),
    ):
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
def test_a_closed_service_may_be_reachable(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    forget_settings()
    with pytest.raises(Refused, match="colt token create"):
        check_access(get_settings())
    made = token("read")
    check_access(get_settings())
    with writing() as session:
        found = tokens.find(session, made)
        assert found is not None and tokens.revoke(session, found.id)
    check_access(get_settings())
    assert cli.tokens.open_again(confirmed=True) == 0
    with pytest.raises(Refused):
        check_access(get_settings())


@REACHABLE
def test_the_server_refuses_to_be_reachable_without_a_token(
    home: Path, database_url: str, variable: str, value: str
) -> None:
    environment = os.environ | {variable: value, "COLT_PORT": "1"}
    ended = subprocess.run([sys.executable, "-m", "api"], env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "token" in ended.stderr
    assert "Traceback" not in ended.stderr
