"""The picks of a job as files, and those of two jobs beside each other."""

from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.picks import service
from store.artifacts import get_artifacts
from store.models import Job
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.problems import pointers, problem
from tests.support.results import Rows, npy

API = "/api/v1"
SCORES = ([0.5] * 8, [0, 1, 0, 1, 0, 1, 0, 1])


@pytest.fixture
def job(rows: Rows) -> Job:
    """It picked 3 and 7 in round 1, and 2, 3 and 5 in round 2."""
    job = rows.job(rows.dataset(), rows.pool())
    rows.sampling_round(job, 1, *SCORES, [0, 0, 0, 1, 0, 0, 0, 1])
    rows.sampling_round(job, 2, *SCORES, [0, 0, 1, 1, 0, 1, 0, 0])
    return job


def test_picks_of_a_round_as_csv(client: TestClient, job: Job) -> None:
    url = f"{API}/jobs/{job.id}/picks"
    answer = client.get(url)
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="picks-{job.id}.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(line["index"], line["cluster"], line["selected_rounds"]) for line in lines] == [
        *(("2", "0", "2"), ("3", "1", "1 2"), ("5", "1", "2")),
    ]
    first = csv.DictReader(io.StringIO(client.get(url, params={"round": 1}).text))
    assert [line["index"] for line in first] == ["3", "7"]
    problem(client.get(url, params={"round": 3}), 404)
    assert pointers(client.get(url, params={"format": "tar"})) == ["?format"]


def test_picks_of_a_round_as_images(client: TestClient, rows: Rows, job: Job) -> None:
    url = f"{API}/jobs/{job.id}/picks"
    answer = client.get(url, params={"format": "zip", "round": 2})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        images = [f"images/{index:09}.png" for index in (2, 3, 5)]
        assert archive.namelist() == ["picks.csv", *images]
        assert archive.read("picks.csv").decode() == client.get(url).text
        for name, index in zip(images, (2, 3, 5), strict=True):
            with archive.open(name) as file, Image.open(file) as image:
                np.testing.assert_array_equal(np.asarray(image).transpose(2, 0, 1), rows.pixels(8)[index])
    with zipfile.ZipFile(io.BytesIO(client.get(url, params={"format": "zip", "cluster": 0}).content)) as archive:
        assert archive.namelist() == ["picks.csv", "images/000000002.png"]


def test_an_archive_is_bounded(client: TestClient, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three images of 8 px have 576 bytes of pixels."""
    url = f"{API}/jobs/{job.id}/picks"
    for limit, most, status in (
        *(("MOST_ZIPPED", 2, 422), ("MOST_ZIPPED", 3, 200)),
        *(("MOST_PIXEL_BYTES", 575, 422), ("MOST_PIXEL_BYTES", 576, 200)),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(service, limit, most)
            answer = client.get(url, params={"format": "zip"})
        assert answer.status_code == status, limit
        if status == 422:
            assert pointers(answer) == ["?format"]
            assert "add cluster" in answer.text


def test_without_a_round_or_a_pool_there_are_no_picks(client: TestClient, rows: Rows) -> None:
    for format in ("csv", "zip"):
        begun, alone = rows.job(pool=rows.pool()), rows.job()
        problem(client.get(f"{API}/jobs/{begun.id}/picks", params={"format": format}), 404)
        assert client.get(f"{API}/jobs/{alone.id}/picks", params={"format": format}).status_code in (404, 409)
        problem(client.get(f"{API}/jobs/nothing/picks", params={"format": format}), 404)


def test_picks_of_two_jobs(client: TestClient, rows: Rows, job: Job) -> None:
    """The first picked 2, 3, 5, 7 of 8; the second 0, 1, 3, 5."""
    other = rows.job(ood_pool_id=job.ood_pool_id)
    rows.sampling_round(other, 1, *SCORES, [1, 0, 0, 1, 0, 1, 0, 0])
    rows.sampling_round(other, 2, *SCORES, [0, 1, 0, 1, 0, 0, 0, 0])
    url, asked = f"{API}/compare/picks", {"job_id": [job.id, other.id]}
    found = client.get(url, params=asked).json()
    assert (found["job_ids"], found["round"]) == ([job.id, other.id], None)
    # By chance 4 * 4 / 8 images are shared.
    sizes = {"shared": 2, "only_first": 2, "only_second": 2, "shared_by_chance": 2.0}
    assert {name: found[name] for name in sizes} == sizes
    assert found["items"] == [
        {"index": 3, "first_rounds": [1, 2], "second_rounds": [1, 2], "alike_to": None},
        {"index": 5, "first_rounds": [2], "second_rounds": [1], "alike_to": None},
    ]
    for part, expected in (("only_first", [2, 7]), ("only_second", [0, 1])):
        items = client.get(url, params=asked | {"part": part}).json()["items"]
        assert [item["index"] for item in items] == expected
    # Round 2: 2, 3, 5 and 1, 3.
    second = client.get(url, params=asked | {"round": 2}).json()
    sizes = {"round": 2, "shared": 1, "only_first": 2, "only_second": 1, "shared_by_chance": 6 / 8}
    assert {name: second[name] for name in sizes} == sizes
    assert second["items"] == [{"index": 3, "first_rounds": [2], "second_rounds": [2], "alike_to": None}]


def test_picks_of_two_jobs_that_nearly_equal_another_are_named(client: TestClient, rows: Rows) -> None:
    images = rows.pixels(8, 96)
    images[5] = images[1]
    pool = rows.pool(image_size=96)
    get_artifacts().write(f"{pool.artifact}/images.npy", [npy(images)])
    first, second = (rows.job(ood_pool_id=pool.id) for _ in range(2))
    for job in (first, second):
        rows.sampling_round(job, 1, *SCORES, [0, 1, 1, 0, 0, 1, 0, 0])
    asked = {"job_id": [first.id, second.id], "alike": True}
    items = client.get(f"{API}/compare/picks", params=asked).json()["items"]
    assert {item["index"]: item["alike_to"] for item in items} == {1: None, 2: None, 5: 1}
    items = client.get(f"{API}/compare/picks", params=asked | {"alike": False}).json()["items"]
    assert {item["alike_to"] for item in items} == {None}


def test_pages_of_picks_stay_with_their_question(client: TestClient, rows: Rows, job: Job) -> None:
    other = rows.job(ood_pool_id=job.ood_pool_id)
    rows.sampling_round(other, 1, *SCORES, [0, 0, 1, 1, 0, 1, 0, 1])
    url, asked = f"{API}/compare/picks", {"job_id": [job.id, other.id], "limit": 3}
    first = client.get(url, params=asked).json()
    second = client.get(url, params=asked | {"cursor": first["next_cursor"]}).json()
    assert [item["index"] for page in (first, second) for item in page["items"]] == [2, 3, 5, 7]
    assert second["next_cursor"] is None
    for changed in ({"part": "only_first"}, {"round": 1}, {"job_id": [other.id, job.id]}):
        answer = client.get(url, params=asked | {"cursor": first["next_cursor"]} | changed)
        assert pointers(answer) == ["?cursor"]


def test_only_picks_from_one_pool_can_be_compared(client: TestClient, rows: Rows, job: Job) -> None:
    url = f"{API}/compare/picks"
    picking = rows.job(pool=rows.pool("another"), config=job.config | {"sampler": "random"}, sampler="random")
    first = rows.job(ood_pool_id=job.ood_pool_id, config=picking.config, sampler="random")
    for ids in ([first.id, picking.id], [job.id, job.id], [job.id], [job.id] * 3):
        assert pointers(client.get(url, params={"job_id": ids})) == ["?job_id"]
    problem(client.get(url, params={"job_id": [job.id, rows.job().id]}), 409)
    problem(client.get(url, params={"job_id": [job.id, "nothing"]}), 404)
    problem(client.get(url, params={"job_id": [job.id, first.id], "round": 1}), 404)


def test_training_images_are_no_picks_from_a_pool(client: TestClient, rows: Rows, job: Job) -> None:
    """A round of `idfill` scores nothing in the pool, so an empty answer would be a wrong one."""
    filled = rows.job(ood_pool_id=job.ood_pool_id, config=job.config | {"sampler": "idfill"}, sampler="idfill")
    rows.sampling_round(filled, 1, *SCORES, [0] * 8)
    for format in ("csv", "zip"):
        answer = client.get(f"{API}/jobs/{filled.id}/picks", params={"format": format})
        problem(answer, 409)
        assert "training images" in answer.text
    for ids in ([job.id, filled.id], [filled.id, job.id]):
        problem(client.get(f"{API}/compare/picks", params={"job_id": ids}), 409)
