"""Exports over HTTP: asking for a file, and downloading it before and after it exists."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from fastapi.testclient import TestClient

from store.artifacts import get_artifacts
from store.database import writing
from store.models import Checkpoint, Export
from store.statuses import WorkStatus
from tests.support.problems import pointers, problem
from tests.support.results import Rows

API = "/api/v1"
CONTENT = b"a file of features"


@pytest.fixture
def checkpoint(rows: Rows) -> Checkpoint:
    return rows.checkpoint(rows.job(name="A run, with: signs"), 4)


def finish(address: str, ending: str) -> str:
    """As a worker does. Returns the key of the file."""
    with writing() as session:
        row = session.get_one(Export, address.rpartition("/")[2])
        key = f"{row.folder_of('token')}/file.{ending}"
        stored = get_artifacts().write(key, [CONTENT])
        row.status, row.artifact, row.bytes, row.sha256 = WorkStatus.SUCCEEDED, key, stored.bytes, stored.sha256
    return key


@pytest.mark.parametrize(
    ("path", "ending"),
    [
        ("download?format=onnx", "onnx"),
        ("features?split=train", "npz"),
        ("features?split=test&format=parquet", "parquet"),
    ],
)
def test_a_download_says_how_to_ask_and_then_answers_the_file(
    client: TestClient, checkpoint: Checkpoint, path: str, ending: str
) -> None:
    url = f"{API}/checkpoints/{checkpoint.id}/{path}"
    advice = str(problem(client.get(url), 409)["detail"])
    found = re.search(r"POST (\S+) with (\{.*\})", advice)
    assert found is not None, advice
    asked = client.post(found[1], json=json.loads(found[2]))  # what it says, word by word
    address = asked.headers["location"]
    assert asked.status_code == 202
    assert "is queued" in str(problem(client.get(url), 409)["detail"])
    key = finish(address, ending)
    answer = client.get(url)
    assert (answer.content, answer.headers["etag"]) == (CONTENT, f'"{hashlib.sha256(CONTENT).hexdigest()}"')
    part = "" if ending == "onnx" else f"-{'train' if ending == 'npz' else 'test'}"
    assert answer.headers["content-disposition"] == f'attachment; filename="A-run-with-signs-epoch4{part}.{ending}"'
    assert client.get(url, headers={"Range": "bytes=2-5"}).content == CONTENT[2:6]
    assert client.head(url).headers["content-length"] == str(len(CONTENT))
    assert client.post(found[1], json=json.loads(found[2])).headers["location"] == address
    shown = client.get(address).json()
    assert (shown["bytes"], shown["status"]) == (len(CONTENT), "succeeded") and "artifact" not in shown
    (listed,) = client.get(f"{API}/jobs/{checkpoint.job_id}/exports").json()["items"]
    assert listed == shown
    assert client.delete(address).status_code == 204
    with pytest.raises(FileNotFoundError):
        get_artifacts().size(key)
    problem(client.get(url), 409)


def test_a_part_without_images_is_refused_with_what_there_is(client: TestClient, checkpoint: Checkpoint) -> None:
    url = f"{API}/jobs/{checkpoint.job_id}/exports"
    for split, there in (("val", "train, probe, test"), ("pool", "has no OOD pool")):
        answer = client.post(url, json={"kind": "features", "split": split})
        assert pointers(answer) == ["/split"] and there in answer.text
    problem(client.post(url, json={"kind": "pickle"}), 422)
    problem(client.get(f"{API}/checkpoints/none/features"), 404)


def test_features_of_a_job_without_labels_are_of_all_its_images(client: TestClient, rows: Rows) -> None:
    checkpoint = rows.checkpoint(rows.job(rows.unlabelled(), rows.pool()), 1)
    url = f"{API}/jobs/{checkpoint.job_id}/exports"
    for split, status in (("train", 202), ("pool", 202), ("test", 422)):
        assert client.post(url, json={"kind": "features", "split": split}).status_code == status
