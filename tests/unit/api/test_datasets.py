"""Uploads, data sets and OOD pools over HTTP."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx import Response
from PIL import Image
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from store.artifacts import get_artifacts
from store.database import reading
from store.models import Dataset, Upload
from store.repositories import uploads
from store.settings import get_settings
from tests.support.problems import pointers, problem
from tests.support.results import NAMES, Rows, npy
from tests.support.settings import forget_settings

API = "/api/v1"
DIGITS = {"name": "digits-lt", "source": {"kind": "sample", "name": "digits"}}
KINDS = [("datasets", DIGITS), ("ood-pools", {"name": "p", "source": {"kind": "sample", "name": "glyphs-and-patches"}})]


def stored_files(home: Path) -> list[str]:
    root = home / "artifacts"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_upload_is_stored_with_its_hash(client: TestClient, home: Path) -> None:
    content = bytes(range(256)) * 20_000  # several blocks
    answer = client.post(f"{API}/uploads?filename=images.zip", content=content)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["filename"], body["bytes"]) == ("images.zip", len(content))
    assert body["sha256"] == hashlib.sha256(content).hexdigest()
    assert (home / "artifacts" / "uploads" / body["id"] / "images.zip").read_bytes() == content


def test_an_upload_keeps_its_file_when_its_commit_came_through_unheard(
    client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = uploads.add

    def add(session: Session, upload: Upload) -> None:
        real(session, upload)
        session.commit()
        raise OperationalError("COMMIT", None, ConnectionError("the server closed the connection"))

    monkeypatch.setattr(uploads, "add", add)
    answer = client.post(f"{API}/uploads?filename=a.zip", content=b"zip")
    assert "check whether it was stored" in str(problem(answer, 503)["detail"])
    with reading() as session:
        row = session.scalars(select(Upload)).one()
    assert stored_files(home) == [row.artifact]


def test_upload_keeps_odd_names_out_of_keys(client: TestClient, home: Path) -> None:
    answer = client.post(f"{API}/uploads", params={"filename": "mes images (é).tar.gz"}, content=b"x")
    assert answer.json()["filename"] == "mes images (é).tar.gz"
    assert stored_files(home) == [f"uploads/{answer.json()['id']}/mes_images____.tar.gz"]


def test_an_upload_is_deleted_when_no_registration_reads_it(client: TestClient, home: Path) -> None:
    upload_id = client.post(f"{API}/uploads?filename=a.zip", content=b"x").json()["id"]
    source = {"kind": "upload", "upload_id": upload_id}
    pool_id = client.post(f"{API}/ood-pools", json={"name": "p", "source": source}).json()["id"]
    problem(client.delete(f"{API}/uploads/{upload_id}"), 409)
    assert stored_files(home) == [f"uploads/{upload_id}/a.zip"]
    assert client.delete(f"{API}/ood-pools/{pool_id}").status_code == 204
    assert client.delete(f"{API}/uploads/{upload_id}").status_code == 204
    assert stored_files(home) == []
    problem(client.delete(f"{API}/uploads/{upload_id}"), 404)


def test_an_upload_that_cannot_be_stored_may_come_again(client: TestClient, home: Path) -> None:
    (home / "artifacts").mkdir(parents=True)
    (home / "artifacts" / "uploads").write_bytes(b"")  # nothing can be made under it
    answer = client.post(f"{API}/uploads?filename=a.zip", content=b"x")
    assert "/readyz" in str(problem(answer, 503)["detail"])
    assert answer.headers["retry-after"] == "5"


def test_upload_refuses_names(client: TestClient, home: Path) -> None:
    for name in ("../a.zip", "a/b.zip", "C:a.zip", "a\\b.zip", ".zip", "a.exe", "a", "", "x" * 201 + ".npz"):
        assert pointers(client.post(f"{API}/uploads", params={"filename": name}, content=b"x")) == ["?filename"]
    assert stored_files(home) == []


def test_upload_needs_a_name_and_a_body(client: TestClient, home: Path) -> None:
    assert pointers(client.post(f"{API}/uploads", content=b"x")) == ["?filename"]
    assert "empty" in str(problem(client.post(f"{API}/uploads?filename=a.zip"), 422)["detail"])
    assert stored_files(home) == []


def test_upload_refuses_forms(client: TestClient) -> None:
    answer = client.post(f"{API}/uploads?filename=a.zip", files={"file": b"x"})
    assert "curl" in str(problem(answer, 415)["detail"])
    odd = {"Content-Type": "Multipart/Form-Data; boundary=x"}
    problem(client.post(f"{API}/uploads?filename=a.zip", content=b"x", headers=odd), 415)


def test_upload_is_capped_by_announcement_and_by_arrival(
    client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLT_MAX_UPLOAD_BYTES", "1000")
    forget_settings()

    def unannounced() -> Iterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    problem(client.post(f"{API}/uploads?filename=a.zip", content=b"x" * 1001), 413)
    problem(client.post(f"{API}/uploads?filename=a.zip", content=unannounced()), 413)
    assert stored_files(home) == []
    with reading() as session:
        assert session.query(Upload).count() == 0
    assert client.post(f"{API}/uploads?filename=a.zip", content=b"x" * 1000).status_code == 201


@pytest.mark.parametrize(("noun", "body"), KINDS)
def test_registration_is_accepted_listed_and_deleted(client: TestClient, noun: str, body: dict[str, object]) -> None:
    answer = client.post(f"{API}/{noun}", json=body)
    assert answer.status_code == 202
    assert answer.json()["status"] == "registering"
    assert answer.headers["location"] == f"{API}/{noun}/{answer.json()['id']}"
    shown = client.get(answer.headers["location"]).json()
    assert (shown["name"], shown["status"], shown["problem"]) == (body["name"], "registering", None)
    assert shown["spec"]["source"] == body["source"]
    assert [item["id"] for item in client.get(f"{API}/{noun}").json()["items"]] == [shown["id"]]
    assert client.get(f"{API}/{noun}?status=ready").json() == {"items": [], "next_cursor": None}
    problem(client.get(f"{answer.headers['location']}/samples"), 409)
    problem(client.get(f"{answer.headers['location']}/samples/0/image"), 409)
    assert client.delete(answer.headers["location"]).status_code == 204
    problem(client.get(answer.headers["location"]), 404)
    problem(client.delete(answer.headers["location"]), 404)


def test_registration_rings_a_worker(client: TestClient, home: Path) -> None:
    client.post(f"{API}/datasets", json=DIGITS)
    assert [path for path in (home / "broker").iterdir() if path.suffix == ".msg"]


WRONG_REGISTRATIONS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "/name"),
    ({"name": " "}, "/name"),
    ({"name": "a\nb"}, "/name"),
    ({"name": "\x01"}, "/name"),
    ({"name": "a\x85b"}, "/name"),
    ({"name": "png.\u202egnp"}, "/name"),  # shown as png.png
    ({"name": "\u2066a"}, "/name"),
    ({"name": "a\u200e"}, "/name"),
    ({"name": None}, "/name"),
    ({"source": None}, "/source"),
    ({"source": {"kind": "ftp"}}, "/source"),
    ({"source": {"kind": "sample", "name": "letters"}}, "/source/name"),
    ({"source": {"kind": "sample"}}, "/source/name"),
    ({"source": {"kind": "torchvision", "name": "ImageNet"}}, "/source/name"),
    ({"source": {"kind": "upload", "upload_id": "nothing"}}, "/source/upload_id"),
    ({"source": {"kind": "path", "path": "relative"}}, "/source/path"),
    ({"image_size": 0}, "/image_size"),
    ({"imagesize": 32}, "/imagesize"),
    ({"long_tail": {}}, "/long_tail/profile"),
    ({"long_tail": {"profile": "zipf"}}, "/long_tail/profile"),
    ({"long_tail": {"profile": "exp", "imbalance_ratio": 0.5}}, "/long_tail/imbalance_ratio"),
    ({"long_tail": {"profile": "indices"}}, "/long_tail"),
    ({"long_tail": {"profile": "indices", "indices": [0, -1]}}, "/long_tail/indices/1"),
    ({"long_tail": {"profile": "indices", "indices": [2**31]}}, "/long_tail/indices/0"),
    ({"long_tail": {"profile": "exp", "max_per_class": 10**400}}, "/long_tail/max_per_class"),
    ({"long_tail": {"profile": "indices", "upload_id": "nothing"}}, "/long_tail/upload_id"),
    ({"test_fraction": 1}, "/test_fraction"),
    ({"layout": "folder"}, "/layout"),
    ({"layout": "folders"}, "/layout"),  # a sample has none
    ({"lists": {"train": "nothing"}}, "/lists"),  # and no files that a list could name
    ({"lists": {"probe": "nothing"}}, "/lists/probe"),
    ({"label_names": {"0": ""}}, "/label_names/0"),
    ({"label_names": ["a", ""]}, "/label_names/1"),
    ({"label_names": 3}, "/label_names"),
]


def test_registration_names_what_is_wrong(client: TestClient) -> None:
    for change, where in WRONG_REGISTRATIONS:
        body = {key: value for key, value in {**DIGITS, **change}.items() if value is not None}
        assert pointers(client.post(f"{API}/datasets", json=body)) == [where], change
    assert client.get(f"{API}/datasets").json()["items"] == []


def test_paths_must_lie_under_an_allowed_root(client: TestClient, tmp_path: Path) -> None:
    inside, outside = tmp_path / "allowed" / "images", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (tmp_path / "allowed" / "link").symlink_to(outside)
    refused = set()
    for path in (outside, tmp_path / "missing", inside.parent / "link", inside / ".." / ".." / "outside"):
        answer = client.post(f"{API}/datasets", json={"name": "d", "source": {"kind": "path", "path": str(path)}})
        assert pointers(answer) == ["/source/path"]
        assert str(tmp_path) not in answer.text
        refused.add(answer.json()["detail"])
    assert len(refused) == 1  # a path that exists outside reads the same as one that does not
    answer = client.post(f"{API}/datasets", json={"name": "d", "source": {"kind": "path", "path": str(inside)}})
    assert answer.status_code == 202


def test_uploads_must_fit_their_use(client: TestClient) -> None:
    archive = client.post(f"{API}/uploads?filename=a.zip", content=b"x").json()["id"]
    indices = client.post(f"{API}/uploads?filename=a.npy", content=npy(np.arange(2))).json()["id"]
    source = {"kind": "upload", "upload_id": archive}
    tail = {"profile": "indices", "upload_id": indices}
    assert client.post(f"{API}/datasets", json={"name": "d", "source": source, "long_tail": tail}).status_code == 202
    swapped = client.post(f"{API}/datasets", json={"name": "d", "source": {**source, "upload_id": indices}})
    assert pointers(swapped) == ["/source/upload_id"]
    pool = client.post(f"{API}/ood-pools", json={"name": "300K", "source": {**source, "upload_id": indices}})
    assert pool.status_code == 202  # images without labels may be one .npy
    swapped = client.post(
        f"{API}/datasets", json={"name": "d", "source": source, "long_tail": {**tail, "upload_id": archive}}
    )
    assert pointers(swapped) == ["/long_tail/upload_id"]


def test_uploaded_lists_must_be_lists_and_stay_while_they_are_read(client: TestClient) -> None:
    ids = {
        name: client.post(f"{API}/uploads?filename={name}", content=b"x").json()["id"]
        for name in ("a.zip", "train.txt", "test.csv")
    }
    body = {"name": "d", "source": {"kind": "upload", "upload_id": ids["a.zip"]}}

    def register(**lists: str) -> Response:
        return client.post(f"{API}/datasets", json={**body, "lists": lists})

    assert pointers(register(train="nothing")) == ["/lists/train"]
    assert pointers(register(train=ids["a.zip"])) == ["/lists/train"]
    assert pointers(register(test=ids["test.csv"])) == ["/lists/train"]
    answer = client.post(f"{API}/datasets", json={**body, "layout": "arrays", "lists": {"train": ids["train.txt"]}})
    assert pointers(answer) == ["/lists"]
    assert register(train=ids["train.txt"], test=ids["test.csv"]).status_code == 202
    problem(client.delete(f"{API}/uploads/{ids['test.csv']}"), 409)


def test_files_of_one_layout_may_be_uploaded_for_what_they_can_be(client: TestClient) -> None:
    upload_id = client.post(f"{API}/uploads?filename=train-images-idx3-ubyte.gz", content=b"x").json()["id"]
    body = {"name": "d", "source": {"kind": "upload", "upload_id": upload_id}, "layout": "idx"}
    assert client.post(f"{API}/ood-pools", json=body).status_code == 202
    assert pointers(client.post(f"{API}/datasets", json=body)) == ["/source/upload_id"]  # it has no labels


def test_layouts_and_endings_are_listed(client: TestClient) -> None:
    kinds = client.get(f"{API}/kinds").json()
    assert {"folders", "arrays", "tiny-imagenet", "idx", "cifar", "lists"} <= set(kinds["layouts"])
    assert [layout["kind"] for layout in kinds["layout_details"]] == kinds["layouts"]
    assert "-ubyte.gz" in kinds["file_endings"]["ood_pool"] and ".npz" in kinds["file_endings"]["dataset"]


def test_ready_dataset_shows_its_shape(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    shown = client.get(f"{API}/datasets/{dataset.id}").json()
    assert shown["class_names"] == NAMES
    assert shown["class_counts"] == [6, 3, 1]
    assert shown["split_sizes"] == {"train": 10, "probe": 15, "val": 0, "test": 12}
    assert shown["groups"] == {"many": [0], "medium": [1], "few": [2]}
    assert (shown["num_samples"], shown["num_classes"], shown["image_size"]) == (36, 3, 8)
    assert shown["created_at"].endswith("Z")


def test_failed_dataset_says_why(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset(status="failed")
    assert client.get(f"{API}/datasets/{dataset.id}").json()["problem"]["detail"] == "no images"
    assert client.get(f"{API}/datasets?status=failed").json()["items"][0]["id"] == dataset.id


def test_samples_by_part_and_label(client: TestClient, rows: Rows) -> None:
    url = f"{API}/datasets/{rows.dataset().id}/samples"

    def indices(**query: object) -> list[int]:
        return [item["index"] for item in client.get(url, params=query).json()["items"]]

    assert indices() == list(range(36))
    assert indices(split="train") == list(range(10))
    assert indices(split="probe") == [9, *range(10, 24)]
    assert indices(split="val") == []
    assert indices(split="test", label=2) == [32, 33, 34, 35]
    assert indices(label=1, split="train") == [6, 7, 8]
    first = client.get(url, params={"split": "probe"}).json()["items"][0]
    assert first == {"index": 9, "label": 2, "class_name": "owl", "split": "probe"}
    assert client.get(url).json()["items"][9]["split"] == "train"
    assert pointers(client.get(url, params={"label": 3})) == ["?label"]
    assert pointers(client.get(url, params={"split": "all"})) == ["?split"]


def test_sample_pages_meet_without_overlap(client: TestClient, rows: Rows) -> None:
    url = f"{API}/datasets/{rows.dataset().id}/samples"
    seen, cursor = [], None
    while True:
        page = client.get(url, params={"split": "train", "limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [item["index"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == list(range(10))


@pytest.mark.parametrize("noun", ["datasets", "ood-pools"])
def test_images_are_the_stored_pixels(client: TestClient, rows: Rows, noun: str) -> None:
    row = rows.dataset() if noun == "datasets" else rows.pool()
    answer = client.get(f"{API}/{noun}/{row.id}/samples/7/image")
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]
    pixels = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert pixels.shape == (8, 8, 3)
    assert (pixels == [7, 14, 21]).all()
    again = client.get(f"{API}/{noun}/{row.id}/samples/7/image", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    problem(client.get(f"{API}/{noun}/{row.id}/samples/36/image"), 404)
    assert pointers(client.get(f"{API}/{noun}/{row.id}/samples/-1/image")) == ["{index}"]
    problem(client.get(f"{API}/{noun}/nothing/samples/0/image"), 404)


def test_pool_samples(client: TestClient, rows: Rows) -> None:
    url = f"{API}/ood-pools/{rows.pool().id}/samples"
    page = client.get(url, params={"limit": 5}).json()
    assert page["items"] == [{"index": index} for index in range(5)]
    page = client.get(url, params={"limit": 5, "cursor": page["next_cursor"]}).json()
    assert page == {"items": [{"index": 5}, {"index": 6}, {"index": 7}], "next_cursor": None}


def test_data_in_use_is_kept(client: TestClient, rows: Rows, home: Path) -> None:
    dataset, pool = rows.dataset(), rows.pool()
    job = rows.job(dataset, pool)
    problem(client.delete(f"{API}/datasets/{dataset.id}"), 409)
    problem(client.delete(f"{API}/ood-pools/{pool.id}"), 409)
    assert client.delete(f"{API}/jobs/{job.id}").status_code == 204
    get_artifacts().write(f"{dataset.folder_of('lost')}/images.npy", [b"half of it"])
    assert client.delete(f"{API}/datasets/{dataset.id}").status_code == 204
    assert client.delete(f"{API}/ood-pools/{pool.id}").status_code == 204
    assert stored_files(home) == []


def test_lists_are_paged_newest_first(client: TestClient, rows: Rows) -> None:
    made = [rows.dataset(name=f"d{number}", status="registering").id for number in range(5)]
    first = client.get(f"{API}/datasets?limit=2").json()
    rows.dataset(name="later", status="registering")  # does not shift what follows
    second = client.get(f"{API}/datasets", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    third = client.get(f"{API}/datasets", params={"limit": 2, "cursor": second["next_cursor"]}).json()
    found = [item["id"] for page in (first, second, third) for item in page["items"]]
    assert found == made[::-1]
    assert third["next_cursor"] is None


def test_foreign_cursors_and_limits_are_refused(client: TestClient, rows: Rows) -> None:
    samples = f"{API}/datasets/{rows.dataset().id}/samples"
    other_order = "WyItY3JlYXRlZF9hdCIsInRvZGF5IiwiYSJd"  # ["-created_at", "today", "a"]
    for cursor in ("x", "e30", "%00", "é", "W10", other_order):
        assert pointers(client.get(f"{API}/datasets", params={"cursor": cursor})) == ["?cursor"]
        assert pointers(client.get(samples, params={"cursor": cursor})) == ["?cursor"]
    for limit in ("0", "1001", "-1", "many"):
        assert pointers(client.get(f"{API}/datasets", params={"limit": limit})) == ["?limit"]


def test_artifacts_of_another_store_serve_images(
    rows: Rows, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLT_ARTIFACTS_URL", "memory://colt")
    forget_settings()
    assert get_settings().artifacts_url == "memory://colt"
    dataset = rows.dataset()
    answer = client.get(f"{API}/datasets/{dataset.id}/samples/3/image")
    assert np.asarray(Image.open(io.BytesIO(answer.content)))[0, 0].tolist() == [3, 6, 9]
    get_artifacts().delete(dataset.artifact)
    with reading() as session:
        assert session.get(Dataset, dataset.id) is not None
    problem(client.get(f"{API}/datasets/{dataset.id}/samples/3/image"), 404)
