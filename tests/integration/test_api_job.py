"""One job's way through the house over HTTP alone: real API, real worker, on either pair of back
ends."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image
from safetensors.numpy import load

from tests.support.clients import API, CONFIG, register, until
from tests.support.processes import wait_until
from tests.support.stack import Stack


def events(client: httpx.Client, job: str) -> list[tuple[str, dict[str, Any]]]:
    found, kind = [], ""
    with client.stream("GET", f"{job}/events", timeout=120) as response:
        for line in response.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((kind, json.loads(line.removeprefix("data: "))))
    return found


def assert_every_worker_reports_and_the_api_comes_back(stack: Stack) -> None:
    assert stack.client.get("/healthz").status_code == 200
    live = f"colt_workers_live {len(stack.workers)}.0"
    wait_until(lambda: live in stack.client.get("/metrics").text, 30, live)

    stack.api.kill()
    stack.api.start()
    stack.wait_ready()


@pytest.mark.timeout(400)
def test_from_registration_to_the_most_tail_like_images(stack: Stack) -> None:
    client = stack.client
    assert_every_worker_reports_and_the_api_comes_back(stack)
    tail = {"profile": "exp", "imbalance_ratio": 20, "seed": 1}
    dataset = register(
        client, "datasets", {"name": "d", "source": {"kind": "sample", "name": "digits"}, "long_tail": tail}
    )
    assert dataset["num_classes"] == 10
    assert sum(dataset["class_counts"]) == dataset["split_sizes"]["train"]
    pool = register(client, "ood-pools", {"name": "p", "source": {"kind": "sample", "name": "glyphs-and-patches"}})

    body = {"dataset_id": dataset["id"], "ood_pool_id": pool["id"], "config": CONFIG, "evaluations": ["linear", "knn"]}
    created = client.post(f"{API}/jobs", json=body)
    assert created.status_code == 202, created.text
    job = created.headers["location"]
    told = events(client, job)
    assert told[-1] == ("end", {"status": "succeeded"})
    assert [data["status"] for kind, data in told if kind == "status"] == ["queued", "running", "succeeded"]
    assert {"status", "progress", "metric", "round", "evaluation"} <= {kind for kind, _ in told}

    shown = client.get(job).json()
    assert shown["progress"]["epoch"] == 3
    assert shown["progress"]["step"] == shown["progress"]["steps"] > 0
    curves = client.get(f"{job}/metrics").json()
    assert curves["loss"]["step"] == list(range(1, shown["progress"]["steps"] + 1))

    # Where the time went: a point an epoch, at its last step, and one for the evaluations.
    last_steps = curves["epoch_loss"]["step"]
    assert len(last_steps) == 3 and last_steps[-1] == shown["progress"]["steps"]
    for phase in ("epoch", "data", "forward_backward", "tailness", "round"):
        assert curves[f"{phase}_seconds"]["step"] == last_steps
    assert curves["evaluation_seconds"]["step"] == last_steps[-1:]
    profile = client.get(f"{job}/profile").json()
    assert profile["epochs"] == 3
    parts = [profile[part] for part in ("data", "forward_backward", "tailness", "round", "other")]
    assert sum(parts) == pytest.approx(sum(curves["epoch_seconds"]["value"]))
    assert all(profile[part] > 0 for part in ("data", "forward_backward", "tailness", "round", "evaluation"))

    assert (shown["compute"]["device"], shown["compute"]["threads"]) == ("cpu", 1)
    lines = [line for kind, data in told if kind == "log" for line in data["lines"]]
    assert f"on the CPU with 1 thread, {shown['compute']['precision']}: {shown['compute']['reason']}" in lines

    probes = {item["kind"]: item for item in client.get(f"{job}/evaluations").json()["items"]}
    assert set(probes) == {"linear", "knn"}
    for probe in probes.values():
        assert probe["status"] == "succeeded" and probe["created_at"] < probe["finished_at"]
        assert len(probe["per_class_accuracy"]) == 10
        assert set(probe["group_accuracy"]) == {"many", "medium", "few"}
        assert probe["class_counts"] == dataset["class_counts"]

    rounds = client.get(f"{job}/rounds").json()["items"]
    assert [(item["round"], item["epoch"]) for item in rounds] == [(1, 2), (2, 3)]
    for item in rounds:
        assert item["num_embedded"] == pool["num_samples"]
        assert item["num_selected"] == 50 == sum(cluster["budget"] for cluster in item["clusters"])
        assert sum(cluster["size"] for cluster in item["clusters"]) == dataset["split_sizes"]["train"]

    worst = client.get(f"{job}/ood-tailness", params={"order": "-tailness", "limit": 100}).json()
    assert (worst["round"], worst["total"], len(worst["items"])) == (2, pool["num_samples"], 100)
    values = [item["tailness"] for item in worst["items"]]
    assert values == sorted(values, reverse=True)
    chosen = client.get(f"{job}/ood-tailness", params={"selected": True, "limit": 1000}).json()
    assert chosen["total"] == 50
    assert all(2 in item["selected_rounds"] for item in chosen["items"])
    index = worst["items"][0]["index"]
    assert len(client.get(f"{job}/ood-tailness/{index}").json()["rounds"]) == 2
    picture = client.get(f"{API}/ood-pools/{pool['id']}/samples/{index}/image")
    assert Image.open(io.BytesIO(picture.content)).size == (32, 32)

    samples = client.get(f"{job}/tailness/samples", params={"limit": 1000}).json()
    assert samples["epoch"] == 3
    history = client.get(f"{job}/tailness/samples/{samples['items'][0]['index']}").json()["history"]
    assert history["epoch"] == [1, 2, 3]
    classes = client.get(f"{job}/tailness/classes").json()
    assert [item["count"] for item in classes["items"]] == dataset["class_counts"]

    checkpoint = client.get(f"{job}/checkpoints").json()["items"][0]
    whole = client.get(f"{API}/checkpoints/{checkpoint['id']}/download")
    assert len(whole.content) == checkpoint["bytes"]
    backbone = client.get(f"{API}/checkpoints/{checkpoint['id']}/download", params={"format": "backbone"})
    assert "conv1.weight" in load(backbone.content)

    asked = client.post(f"{job}/evaluations", json={"kind": "few_shot", "shots": 1})
    assert asked.status_code == 202, asked.text
    assert until(client, asked.headers["location"], "succeeded")["config"]["shots"] == 1

    assert client.delete(job).status_code == 204
    assert client.delete(f"{API}/datasets/{dataset['id']}").status_code == 204
    assert client.delete(f"{API}/ood-pools/{pool['id']}").status_code == 204
