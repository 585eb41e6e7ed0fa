"""Unseen images are scored over HTTP as the job's last round scored its pool, on either pair of
back ends."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.support.clients import API, CONFIG, register, until
from tests.support.files import matching
from tests.support.processes import wait_until
from tests.support.runs import working
from tests.support.stack import STACKS, Stack, StartStack

SHOWN = 150  # images of the pool that are scored again
TOLERANCE = 1e-5


def upload(client: httpx.Client, name: str, content: bytes) -> str:
    answer = client.post(f"{API}/uploads", params={"filename": name}, content=content)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def npz(images: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, images=images.transpose(0, 2, 3, 1))
    return file.getvalue()


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(file, "PNG")
    return file.getvalue()


def scorers(stack: Stack, word: str) -> list[psutil.Process]:
    """The processes that score a row, or are `waiting` for one."""
    return [process for process, line in working(stack) if line[:1] == ["worker.scorer"] and line[-1] == word]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", STACKS)
def test_images_of_the_pool_get_their_stored_score_also_after_a_kill(start_stack: StartStack, kind: Any) -> None:
    stack = start_stack(kind, workers=1, COLT_KEEP_CHECKPOINTS="1")
    client = stack.client
    tail = {"profile": "exp", "imbalance_ratio": 20, "max_per_class": 60}
    dataset = register(
        client, "datasets", {"name": "d", "source": {"kind": "sample", "name": "digits"}, "long_tail": tail}
    )
    pool = register(client, "ood-pools", {"name": "p", "source": {"kind": "sample", "name": "glyphs-and-patches"}})
    # Rounds before epochs 2 and 4 of 5: no other checkpoint has their weights.
    config = {**CONFIG, "epochs": 5, "sample_interval": 2, "checkpoint_interval": 5}
    body = {"dataset_id": dataset["id"], "ood_pool_id": pool["id"], "config": config, "evaluations": []}
    job = client.post(f"{API}/jobs", json=body).headers["location"]
    until(client, job, "succeeded")
    assert [item["epoch"] for item in client.get(f"{job}/checkpoints").json()["items"]] == [5, 3]

    stored = client.get(f"{job}/ood-tailness", params={"order": "index", "limit": SHOWN}).json()
    expected = {name: [item[name] for item in stored["items"]] for name in ("tailness", "cluster", "similarity")}
    picked = next(item["index"] for item in stored["items"] if item["selected"])
    artifacts = Path(stack.env.get("COLT_ARTIFACTS_URL") or stack.home / "artifacts")
    (file,) = matching(artifacts / "ood_pools" / pool["id"], "*/images.npy")
    images = np.load(file)[:SHOWN]

    def check(found: dict[str, Any]) -> None:
        assert (found["status"], found["epoch"], found["round"]) == ("succeeded", 3, stored["round"]), found
        assert [item["index"] for item in found["scores"]] == list(range(SHOWN)) and found["refused"] == []
        for name, values in expected.items():
            np.testing.assert_allclose([item[name] for item in found["scores"]], values, atol=TOLERANCE)
        for item in found["scores"]:
            similarities = [near["similarity"] for near in item["nearest"]]
            assert len(similarities) == 3 and similarities == sorted(similarities, reverse=True)
        near = found["scores"][picked]["nearest"]
        told = client.get(f"{job}/ood-tailness/{picked}/nearest", params={"k": 3}).json()["items"]
        np.testing.assert_allclose([one["similarity"] for one in near], [one["similarity"] for one in told], atol=1e-3)
        assert near[0]["label"] == client.get(f"{job}/tailness/samples/{near[0]['index']}").json()["label"]

    def ask(**more: Any) -> httpx.Response:
        sent = {"upload_id": upload(client, "some.npz", npz(images))}
        return client.post(f"{job}/ood-tailness/score", json=sent, params={"wait": 30, **more})

    cold = ask()
    assert cold.status_code == 200, cold.text
    check(cold.json())
    assert client.get(cold.headers["location"]).json() == cold.json()

    def waiting() -> psutil.Process:
        wait_until(lambda: len(scorers(stack, "waiting")) == 1, 60, "the process waits for more")
        return scorers(stack, "waiting")[0]

    # The same process scores again. (Right after a request the worker may not know yet that it
    # waits, and start another in its place.) It is killed at the next request: nothing is lost.
    for _ in range(5):
        process = waiting()
        check(ask().json())
        if waiting() == process:
            break
    else:
        pytest.fail("each request was answered by a process of its own")
    process.suspend()
    asked = ask(wait=0)
    assert asked.status_code == 202 and asked.json()["scores"] is None
    wait_until(lambda: client.get(asked.headers["location"]).json()["status"] == "running", 60, "it is under way")
    process.kill()
    check(until(client, asked.headers["location"], "succeeded"))

    # It is killed while it waits.
    waiting().kill()
    check(until(client, ask().headers["location"], "succeeded"))

    # Files of other sizes are resized, and bad ones are named.
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for number in range(3):
            zipped.writestr(f"{number}.png", png(images[number]))
        zipped.writestr("bad.png", b"no image")
        zipped.writestr("large.png", png(images[3].repeat(2, axis=1).repeat(3, axis=2)))
    sent = {"upload_id": upload(client, "some.zip", archive.getvalue()), "keep_upload": True}
    mixed = client.post(f"{job}/ood-tailness/score", json=sent, params={"wait": 30}).json()
    assert [(item["index"], item["name"]) for item in mixed["scores"]] == [
        *((number, f"{number}.png") for number in range(3)),
        (4, "large.png"),
    ]
    tailness = [item["tailness"] for item in mixed["scores"][:3]]
    # The same files, sent in the request.
    files = {f"{number}.png": png(images[number]) for number in range(3)}
    form = [("image", file) for file in ({**files, "bad.png": b"no image"}).items()]
    direct = client.post(f"{job}/ood-tailness/score", files=form, params={"wait": 30, "nearest": 0}).json()
    np.testing.assert_allclose([item["tailness"] for item in direct["scores"]], tailness, atol=TOLERANCE)
    assert [item["name"] for item in direct["refused"]] == ["bad.png"] and direct["scores"][0]["nearest"] == []
    np.testing.assert_allclose(tailness, expected["tailness"][:3], atol=TOLERANCE)
    ((index, name, detail),) = ((item["index"], item["name"], item["detail"]) for item in mixed["refused"])
    assert (index, name) == (3, "bad.png") and "damaged, or not an image" in detail

    # An upload is gone once it was scored, unless the request keeps it.
    assert [item["id"] for item in client.get(f"{API}/uploads").json()["items"]] == [sent["upload_id"]]
    wait_until(lambda: len(matching(artifacts / "uploads", "*/*")) == 1, 60, "its files are gone too")
    broken = {"upload_id": upload(client, "broken.zip", b"PK not a zip")}
    refused = client.post(f"{job}/ood-tailness/score", json=broken, params={"wait": 30})
    assert refused.status_code == 422 and refused.json()["errors"][0]["pointer"] == "/upload_id", refused.text
