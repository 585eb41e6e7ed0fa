"""A framework and a sampler that only a test knows go through the whole service, with no other file
changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import API, CONFIG, register, until
from tests.support.processes import wait_until
from tests.support.stack import Stack, running_stack

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Every process of the service registers them at its start, as a fork of this project would."""
    folder = tmp_path_factory.mktemp("new-kinds")
    (folder / "sitecustomize.py").write_text("from tests.support import toy_kinds\n\ntoy_kinds.register()\n")
    with running_stack(folder, "embedded", PYTHONPATH=f"{folder}:{ROOT}") as stack:
        yield stack


@pytest.fixture(scope="module")
def data(service: Stack) -> dict[str, str]:
    tail = {"profile": "exp", "imbalance_ratio": 20, "seed": 1}
    digits = {"kind": "sample", "name": "digits"}
    dataset = register(service.client, "datasets", {"name": "d", "source": digits, "long_tail": tail})
    glyphs = {"kind": "sample", "name": "glyphs-and-patches"}
    pool = register(service.client, "ood-pools", {"name": "p", "source": glyphs})
    return {"dataset_id": dataset["id"], "ood_pool_id": pool["id"]}


def toy(**settings: Any) -> dict[str, Any]:
    return CONFIG | {"framework": "noisy", "sampler": "last", "noise": 0.5, "skip": 3} | settings


def test_lists_forms_and_the_document_tell_of_them(service: Stack) -> None:
    told = service.client.get(f"{API}/kinds").json()
    noisy, last = told["frameworks"][-1], told["samplers"][-1]
    assert (noisy["kind"], noisy["title"]) == ("noisy", "Noisy SimCLR")
    assert noisy["summary"] == "SimCLR on noisy views. Only for tests."
    noise = noisy["settings"]["properties"]["noise"]
    assert (noise["type"], noise["default"], noise["minimum"], noise["maximum"]) == ("number", 0.1, 0, 1)
    assert noise["description"] == "Share of another view that is added."
    assert {"skip", "sample_budget", "sample_interval"} <= last["settings"]["properties"].keys()
    schema = service.client.get("/openapi.json").json()["components"]["schemas"]["NewJob"]["properties"]["config"]
    assert "noisy" in schema["properties"]["framework"]["enum"] and "skip" in schema["properties"]


def test_their_settings_are_checked_at_submission(service: Stack, data: dict[str, str]) -> None:
    for config, pointer in (
        (toy(noise=2), "/config/noise"),
        (toy() | {"framework": "simclr"}, "/config/noise"),
        (toy(prune_share=0.5), "/config/prune_share"),
        (toy(skip="many"), "/config/skip"),
    ):
        answer = service.client.post(f"{API}/jobs", json={**data, "config": config})
        assert answer.status_code == 422
        assert [problem["pointer"] for problem in answer.json()["errors"]] == [pointer]


def test_they_train_stop_resume_and_are_shown(service: Stack, data: dict[str, str]) -> None:
    client = service.client
    answer = client.post(f"{API}/jobs", json={**data, "config": toy(epochs=30, checkpoint_interval=5)})
    assert answer.status_code == 202, answer.text
    job = answer.headers["location"]
    wait_until(lambda: client.get(job).json()["progress"]["epoch"] >= 3, 60, "it trains")
    assert client.post(f"{job}/cancel").status_code == 202
    until(client, job, "cancelled")
    assert client.post(f"{job}/resume").status_code == 202
    ended = until(client, job, "succeeded")
    assert (ended["config"]["framework"], ended["config"]["noise"], ended["config"]["skip"]) == ("noisy", 0.5, 3)
    assert ended["progress"]["epoch"] == 30
    (found,) = client.get(f"{API}/jobs", params={"framework": "noisy", "sampler": "last"}).json()["items"]
    assert found["id"] == ended["id"]
    pool = client.get(f"{API}/ood-pools/{data['ood_pool_id']}").json()["num_samples"]
    picked = client.get(f"{job}/ood-tailness", params={"selected": True, "order": "index", "limit": 100}).json()[
        "items"
    ]
    assert [item["index"] for item in picked] == list(range(pool - 3 - CONFIG["sample_budget"], pool - 3))
    (evaluation,) = client.get(f"{job}/evaluations").json()["items"]
    assert evaluation["status"] == "succeeded"


def test_an_unknown_name_in_a_filter_is_refused(service: Stack) -> None:
    answer = service.client.get(f"{API}/jobs", params={"framework": "nosiy"})
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "?framework"
