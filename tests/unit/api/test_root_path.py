"""The service below a path of a host, behind a proxy that passes the path on or takes it off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from store.database import writing
from store.repositories import tokens
from tests.support.settings import forget_settings

PAGE = '<meta name="root" content="/" /><script src="/assets/app.js"></script>'
BROWSER = {"Accept": "text/html"}


@pytest.fixture
def served(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    for name in ("dashboard/assets", "guide"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "dashboard/index.html").write_text(PAGE)
    (tmp_path / "dashboard/favicon.svg").write_text("<svg/>")
    (tmp_path / "dashboard/assets/app.js").write_text("1")
    (tmp_path / "guide/index.html").write_text("guide")
    monkeypatch.setenv("COLT_ROOT_PATH", "/colt")
    forget_settings()
    app = create_app(tmp_path / "dashboard", tmp_path / "guide")
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize("passed_on", ["/colt", ""])
def test_every_address_that_is_answered_is_below_the_root(served: TestClient, passed_on: str) -> None:
    for path in ("/", "/index.html", "/jobs", "/jobs/abc"):
        answer = served.get(passed_on + path, headers=BROWSER)
        assert (answer.status_code, answer.text) == (200, PAGE.replace('"/', '"/colt/'))
        assert answer.headers["cache-control"] == "no-cache"
    assert "immutable" in served.get(f"{passed_on}/assets/app.js").headers["cache-control"]
    assert served.get(f"{passed_on}/favicon.svg").text == "<svg/>"
    assert served.get(f"{passed_on}/guide/index.html").text == "guide"
    assert served.get(f"{passed_on}/guide").headers["location"] == "guide/index.html"
    assert served.get(f"{passed_on}/openapi.json").json()["servers"] == [{"url": "/colt"}]
    for path in ("/api/v1/jobs/none", "/assets/none.js", "/guide/none.html"):
        answer = served.get(passed_on + path, headers=BROWSER)
        assert (answer.status_code, answer.json()["instance"]) == (404, f"/colt{path}")
    assert served.post(f"{passed_on}/jobs/abc").status_code == 404
    assert served.get(f"{passed_on}/jobs/abc").status_code == 404  # who wants no page
    pool = {"name": "p", "source": {"kind": "sample", "name": "glyphs-and-patches"}}
    made = served.post(f"{passed_on}/api/v1/ood-pools", json=pool)
    assert made.headers["location"] == f"/colt/api/v1/ood-pools/{made.json()['id']}"
    moved = served.get(f"{passed_on}/api/v1/jobs/?limit=1")
    assert moved.headers["location"] == "http://localhost/colt/api/v1/jobs?limit=1"


def test_without_the_slash_at_its_end_the_root_is_the_dashboard(served: TestClient) -> None:
    assert served.get("/colt", headers=BROWSER).text == PAGE.replace('"/', '"/colt/')
    assert served.get("/colts/api/v1/jobs").status_code == 404  # another path of the host


@pytest.mark.parametrize(("scheme", "name"), [("http", "colt_session"), ("https", "__Secure-colt_session")])
def test_the_cookie_is_for_the_root_alone(served: TestClient, scheme: str, name: str) -> None:
    with writing() as session:
        token = tokens.create_token(session, "reader", ["read"])
    served.base_url = f"{scheme}://localhost"
    origin = {"Origin": f"{scheme}://localhost"}
    opened = served.post("/colt/api/v1/session", json={"token": token}, headers=origin)
    assert opened.headers["set-cookie"].startswith(f"{name}=")
    assert "; Path=/colt/api;" in opened.headers["set-cookie"]
    assert served.get("/colt/api/v1/jobs").status_code == 200
    assert served.delete("/colt/api/v1/session", headers=origin).status_code == 204
    assert served.get("/colt/api/v1/jobs").status_code == 401
    elsewhere = {"Origin": f"{scheme}://other.example"}
    assert served.post("/colt/api/v1/session", json={"token": token}, headers=elsewhere).status_code == 403
