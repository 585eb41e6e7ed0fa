"""Health, metrics, documentation and the dashboard's files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.health import readiness
from api.main import create_app
from store.artifacts import get_artifacts
from store.database import writing
from tests.support.problems import problem
from tests.support.results import Rows

API = "/api/v1"
JSON_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@pytest.fixture
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness is not remembered."""
    monkeypatch.setattr(readiness, "KEEP_SECONDS", 0.0)


@pytest.mark.usefixtures("asked_anew")
def test_readiness_names_what_is_missing(client: TestClient, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    lacking = problem(client.get("/readyz"), 503)
    assert (lacking["missing"], lacking["detail"]) == (
        ["worker"],
        "Missing: worker (none has sent a heartbeat recently).",
    )
    rows.worker()
    assert client.get("/readyz").json() == {"status": "ready", "missing": []}

    def broken() -> None:
        raise ConnectionError("password in here")

    monkeypatch.setitem(readiness.CHECKS, "broker", broken)
    answer = client.get("/readyz")
    assert problem(answer, 503)["missing"] == ["broker"]
    assert "password" not in answer.text


@pytest.mark.parametrize(
    ("revision", "word"), [("0001", "run `colt migrate`"), ("9999", "the database is newer than this version")]
)
def test_a_schema_of_another_version_is_not_ready(client: TestClient, rows: Rows, revision: str, word: str) -> None:
    rows.worker()
    with writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    lacking = problem(client.get("/readyz"), 503)
    assert lacking["missing"] == ["database"] and word in str(lacking["detail"])


@pytest.mark.usefixtures("asked_anew")
def test_a_check_that_hangs_does_not_hang_the_answer(
    client: TestClient, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.worker()
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.2)
    hanging, begun = Event(), []

    def hang() -> None:
        begun.append(1)
        hanging.wait(60)  # waited for, it would be well

    monkeypatch.setitem(readiness.CHECKS, "artifacts", hang)
    try:
        for _ in range(2 * len(readiness.CHECKS)):  # more than there are threads
            assert problem(client.get("/readyz"), 503)["missing"] == ["artifacts"]
        assert len(begun) == 1
    finally:
        hanging.set()


def test_readiness_is_remembered_for_a_moment(
    client: TestClient, rows: Rows, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.worker()
    monkeypatch.setattr(readiness, "KEEP_SECONDS", 600.0)
    written: list[str] = []
    check = get_artifacts().check
    monkeypatch.setitem(readiness.CHECKS, "artifacts", lambda: (check(), written.append("a file"))[0])
    for _ in range(20):
        assert client.get("/readyz").status_code == 200
    assert written == ["a file"]


def test_metrics_count_by_route_and_status(client: TestClient, rows: Rows) -> None:
    rows.job(status="failed")
    rows.worker()
    for number in range(3):
        client.get(f"{API}/jobs/missing{number}")
    exposed = client.get("/metrics").text
    counted = 'colt_http_requests_total{method="GET",route="/api/v1/jobs/{job_id}",status="404"}'
    assert any(line.startswith(counted) for line in exposed.splitlines()), exposed
    assert "missing1" not in exposed
    assert 'colt_jobs{status="failed"} 1.0' in exposed
    assert 'colt_jobs{status="queued"} 0.0' in exposed
    assert "colt_workers_live 1.0" in exposed


def test_every_operation_is_described(app: FastAPI) -> None:
    document = app.openapi()
    names = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            place = f"{method} {path}"
            names.append(operation["operationId"])
            assert operation["tags"], place
            assert operation["summary"], place
            assert operation.get("description"), place
            errors = {status: body for status, body in operation["responses"].items() if status >= "400"}
            expected = {"400", "500", "503"}
            if path.startswith(API):
                expected |= {"401", "403"}
            if "{" in path:
                expected |= {"404", "422"}
            if "requestBody" in operation:
                expected |= {"415", "422"}
            assert expected <= set(errors), place
            for status, body in errors.items():
                if (path, status) != ("/readyz", "503"):
                    assert body["content"] == JSON_PROBLEM, (place, status)
    assert len(set(names)) == len(names)
    assert set(names) >= {"submit_job", "get_job", "list_ood_tailness", "stream_job_events", "upload_file"}
    whole = json.dumps(document)
    assert "HTTPValidationError" not in whole
    for reference in {part.split('"')[0] for part in whole.split("#/components/schemas/")[1:]}:
        assert reference in document["components"]["schemas"]
    for schema in ("NewJob", "NewDataset", "NewOodPool", "NewEvaluation"):
        assert document["components"]["schemas"][schema]["example"]


def test_the_document_can_be_printed(home: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "api.http.openapi"], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(printed.stdout)["info"]["title"] == "COLT Studio"


def test_the_api_loads_no_torch() -> None:
    heavy = ("torch", "torchvision", "faiss", "sklearn")
    program = f"import sys, api.main; print([name for name in {heavy} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert printed.stdout.strip() == "[]"


def test_docs_come_from_here(client: TestClient) -> None:
    page = client.get("/docs")
    assert "https://" not in page.text
    assert "<script>" not in page.text
    assert 'rel="icon" type="image/svg+xml" href="favicon.svg"' in page.text
    script = client.get("/docs/start.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert client.get("/openapi.json").json()["openapi"].startswith("3.1")


def test_without_a_build_the_page_says_how_to_build(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 503
    assert "make frontend" in answer.text


def test_without_a_build_every_address_of_the_guide_says_how_to_build(client: TestClient) -> None:
    for path in ("/guide", "/guide/glossary.html"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert "make guide" in answer.text


def test_the_guide_is_served_beside_the_dashboard(home: Path, tmp_path: Path) -> None:
    for name in ("dashboard", "guide"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name)
    (tmp_path / "guide" / "glossary.html").write_text("glossary")
    browser = {"Accept": "text/html"}
    with TestClient(create_app(tmp_path / "dashboard", tmp_path / "guide"), base_url="http://localhost") as client:
        for path, expected in (("/guide", "guide"), ("/guide/", "guide"), ("/guide/glossary.html", "glossary")):
            answer = client.get(path, headers=browser)
            assert (answer.status_code, answer.text) == (200, expected)
            assert answer.headers["cache-control"] == "no-cache"
        assert client.get("/guides", headers=browser).text == "dashboard"
        problem(client.get("/guide/nothing.html", headers=browser), 404)
        problem(client.get("/guide/%2e%2e/dashboard/index.html", headers=browser), 404)


def test_the_dashboard_is_served_under_the_api(home: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    (build / "assets").mkdir(parents=True)
    (build / "index.html").write_text("<title>dashboard</title>")
    (build / "assets" / "app-1a2b.js").write_text("1")
    with TestClient(create_app(dashboard=build), base_url="http://localhost") as client:
        browser = {"Accept": "text/html"}
        for path in ("/", "/jobs/abc"):  # a page's address is the page's business
            answer = client.get(path, headers=browser)
            assert (answer.status_code, answer.text) == (200, "<title>dashboard</title>")
            assert answer.headers["cache-control"] == "no-cache"
        asset = client.get("/assets/app-1a2b.js")
        assert "immutable" in asset.headers["cache-control"]
        missing = client.get("/assets/app-0000.js", headers=browser)
        problem(missing, 404)
        assert "immutable" not in missing.headers.get("cache-control", "")
        problem(client.get(f"{API}/nothing", headers=browser), 404)
        problem(client.get(f"{API}/jobs/x/cancel", headers=browser), 405)
        problem(client.post("/jobs/abc"), 404)
        problem(client.put(f"{API}/jobs"), 405)
        assert client.get(f"{API}/jobs").json()["items"] == []
        assert "swagger" in client.get("/docs", headers=browser).text
        problem(client.get("/../../etc/passwd"), 404)
        problem(client.get("/%2e%2e/%2e%2e/etc/passwd"), 404)
