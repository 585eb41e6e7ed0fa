"""The whole record of a run, read with the standard library and a YAML parser alone."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from api.records import tables
from store.database import writing
from store.models import Evaluation, Job
from store.statuses import WorkStatus
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.problems import problem
from tests.support.results import Rows

API = "/api/v1"


@pytest.fixture
def job(rows: Rows) -> Job:
    """With a name that would be other Markdown and YAML, two rounds and an evaluation."""
    dataset = rows.dataset(spec={"source": {"kind": "path", "path": "/srv/secret/animals"}})
    job = rows.job(dataset, rows.pool(), name="a: [run] | `of` *mine* 'é'")
    rows.sampling_round(job, 1, [0.5] * 8, [0, 1] * 4, [0, 0, 0, 1, 0, 0, 0, 1])
    rows.sampling_round(job, 2, [0.25] * 8, [0, 1] * 4, [0, 1, 0, 0, 0, 0, 0, 0])
    rows.metric(job, "loss", [3.5, 2.25, float("inf"), 1.0, 0.5])
    rows.metric(job, "epoch_seconds", [7.0])
    checkpoint = rows.checkpoint(job, 4)
    with writing() as session:
        row = Evaluation(job_id=job.id, checkpoint_id=checkpoint.id, epoch=4, kind="linear", config={"kind": "linear"})
        row.status, row.accuracy, row.balanced_accuracy = WorkStatus.SUCCEEDED, 0.75, 0.5
        row.per_class_accuracy, row.class_counts, row.test_counts = [1.0, 0.5, None], [6, 3, 1], [4, 4, 0]
        row.group_accuracy = {"many": 1.0, "medium": 0.5, "few": None}
        row.warnings = [{"code": "few_tests", "detail": "2 | 3 classes", "count": 2, "examples": []}]
        session.add(row)
    return job


def record(client: TestClient, job: Job) -> zipfile.ZipFile:
    answer = client.get(f"{API}/jobs/{job.id}/record")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="record-{job.id}.zip"'
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def rows_of(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read(name).decode())))


def test_its_figures_are_those_of_the_api(client: TestClient, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_POINTS", 2)  # read in blocks
    archive = record(client, job)

    def answered(path: str) -> Any:
        return client.get(f"{API}/{path}").json()

    def documents(name: str) -> Any:
        return json.loads(archive.read(name))

    assert documents("config.json") == answered(f"jobs/{job.id}")["config"]
    assert documents("evaluations.json") == answered(f"jobs/{job.id}/evaluations")["items"]
    assert documents("rounds.json") == [answered(f"jobs/{job.id}/rounds/{number}") for number in (1, 2)]
    assert documents("checkpoints.json") == answered(f"jobs/{job.id}/checkpoints")["items"]
    assert (documents("analyses.json"), documents("attempts.json")) == ([], [])
    dataset = documents("dataset.json")
    assert dataset["class_counts"] == [6, 3, 1] and dataset["spec"]["source"] == {"kind": "path"}
    assert documents("pool.json")["num_samples"] == 8
    assert [(entry["code"], entry["about"][:10]) for entry in documents("warnings.json")] == [
        ("few_tests", "evaluation")
    ]
    points = [(row["metric"], row["unit"], row["step"], row["value"]) for row in rows_of(archive, "metrics.csv")]
    losses = [("loss", "nat", str(step), value) for step, value in enumerate(["3.5", "2.25", "", "1.0", "0.5"], 1)]
    assert points == [("epoch_seconds", "s", "1", "7.0"), *losses]
    by_class = rows_of(archive, "evaluations-by-class.csv")
    assert [(row["class_name"], row["group"], row["test_images"], row["accuracy"]) for row in by_class] == [
        ("cat", "many", "4", "1.0"),
        ("dog", "medium", "4", "0.5"),
        ("owl", "few", "0", ""),
    ]
    picks = [(row["round"], row["index"], row["cluster"], row["tailness"]) for row in rows_of(archive, "picks.csv")]
    assert picks == [("1", "3", "1", "0.5"), ("1", "7", "1", "0.5"), ("2", "1", "1", "0.25")]
    assert all(b"/srv/secret" not in archive.read(name) for name in archive.namelist())


def test_its_page_names_each_file_and_column(client: TestClient, job: Job) -> None:
    archive = record(client, job)
    page = archive.read("README.md").decode()
    for name in set(archive.namelist()) - {"README.md"}:
        section = page.split(f"## {name}\n")[1].split("\n## ")[0]
        content = archive.read(name).decode()
        if name.endswith(".csv"):
            fields = content.partition("\n")[0].split(",")
        else:
            fields = [] if name.endswith(".md") else [*_first(json.loads(content))]
        assert [field for field in fields if f"| `{field}` |" not in section] == [], name


def _first(content: Any) -> dict[str, Any]:
    found: dict[str, Any] = content if isinstance(content, dict) else next(iter(content), {})
    return found


def test_its_model_card(client: TestClient, job: Job) -> None:
    card = record(client, job).read("model-card.md").decode()
    _, metadata, body = card.split("---\n", 2)
    (model,) = yaml.safe_load(metadata)["model-index"]
    assert model["name"] == job.name
    (result,) = model["results"]
    values = {metric["name"]: metric["value"] for metric in result["metrics"]}
    assert values["Accuracy (Linear probe)"] == 0.75 and "Accuracy, Few classes (Linear probe)" not in values
    assert "| Linear probe | 4 | 8 | 75.00 | 50.00 | 100.00 | 50.00 | – | – |" in body
    assert "no interval" in body and "2 \\| 3 classes" in body
    assert "\\[run\\]" in body or "\\[run]" in body


def test_a_queued_job_has_a_record_and_a_missing_one_has_none(client: TestClient, rows: Rows) -> None:
    archive = record(client, rows.job(rows.unlabelled(), status="queued", evaluations=[]))
    assert rows_of(archive, "metrics.csv") == [] and "pool.json" not in archive.namelist()
    assert "has not been evaluated" in archive.read("model-card.md").decode()
    problem(client.get(f"{API}/jobs/none/record"), 404)
