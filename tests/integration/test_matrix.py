"""Every framework with every sampler, and every analysis, end to end through the service on the digits sample."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import httpx
import pytest
from safetensors.numpy import load

from colt_core.analyses.config import AnalysisKind
from tests.support.clients import API, CONFIG, register, until
from tests.support.stack import StartStack

FRAMEWORKS = ("simclr", "sdclr", "bcl")
SAMPLERS = ("none", "random", "mak", "colt")
ROUNDS = {"none": [], "random": [2, 3], "mak": [2], "colt": [2, 3]}
PICKED = CONFIG["sample_budget"]


def settings(framework: str, sampler: str, **more: Any) -> dict[str, Any]:
    # MAK's forward passes grow with its passes; three already make pairs to average over.
    return {**CONFIG, "framework": framework, "sampler": sampler, "mak_passes": 3, **more}


@pytest.mark.timeout(900)
def test_three_frameworks_with_four_samplers_and_all_analyses(start_stack: StartStack) -> None:
    client = start_stack("distributed", workers=2).client
    tail = {"profile": "exp", "imbalance_ratio": 20, "seed": 1}
    digits = {"kind": "sample", "name": "digits"}
    dataset = register(client, "datasets", {"name": "d", "source": digits, "long_tail": tail})
    pool = register(client, "ood-pools", {"name": "p", "source": {"kind": "sample", "name": "glyphs-and-patches"}})
    wanted = {
        (framework, sampler): settings(framework, sampler) for framework, sampler in product(FRAMEWORKS, SAMPLERS)
    }
    wanted["bcl", "variant D"] = settings("bcl", "colt", bcl_variant="D")
    wanted["simclr", "matched steps"] = settings("simclr", "none", match_steps=True)
    data = {"dataset_id": dataset["id"], "ood_pool_id": pool["id"]}
    jobs = {name: submit(client, {**data, "config": config}) for name, config in wanted.items()}
    ended = {name: until(client, job, "succeeded", seconds=600) for name, job in jobs.items()}

    steps = {name: job["progress"]["steps"] for name, job in ended.items()}
    for name, job in ended.items():
        config = job["config"]
        assert job["attempts"] == 1
        assert job["progress"]["step"] == steps[name]
        (probe,) = client.get(f"{jobs[name]}/evaluations").json()["items"]
        assert 0.2 < probe["balanced_accuracy"] <= 1, (name, probe)  # chance is 0.1
        rounds = client.get(f"{jobs[name]}/rounds").json()["items"]
        assert [item["epoch"] for item in rounds] == ROUNDS[config["sampler"]], name
        assert {item["num_selected"] for item in rounds} <= {PICKED}
        tailness = client.get(f"{jobs[name]}/tailness/samples", params={"order": "-tailness", "limit": 3}).json()
        assert -1 <= tailness["items"][0]["tailness"] <= 0

    with_ood = steps["simclr", "colt"]
    assert steps["simclr", "none"] < with_ood
    assert {count for name, count in steps.items() if name[1] not in {"none"}} == {with_ood}
    assert_backbones_have_the_same_names(client, jobs)
    run_all_analyses(client, jobs["sdclr", "colt"], dataset)


def submit(client: httpx.Client, body: dict[str, Any]) -> str:
    created = client.post(f"{API}/jobs", json=body)
    assert created.status_code == 202, created.text
    job: str = created.headers["location"]
    return job


def assert_backbones_have_the_same_names(client: httpx.Client, jobs: dict[tuple[str, str], str]) -> None:
    """What is downloaded is a plain backbone: of SDCLR and BCL too, without masks or a second set of batch norms."""
    names = {}
    for framework in FRAMEWORKS:
        checkpoints = client.get(f"{jobs[framework, 'colt']}/checkpoints").json()["items"]
        file = client.get(f"{API}/checkpoints/{checkpoints[0]['id']}/download", params={"format": "backbone"})
        names[framework] = set(load(file.content))
    assert names["simclr"] == names["sdclr"] == names["bcl"]


def run_all_analyses(client: httpx.Client, job: str, dataset: dict[str, Any]) -> None:
    asked = {}
    for kind in get_args(AnalysisKind):
        created = client.post(f"{job}/analyses", json={"kind": kind})
        assert created.status_code == 202, created.text
        asked[kind] = created.headers["location"]
    found = {kind: until(client, path, "succeeded")["result"] for kind, path in asked.items()}
    assert all(result["kind"] == kind for kind, result in found.items())
    assert -4 < found["uniformity"]["uniformity"] < 0
    assert 0 < found["alignment"]["alignment"] < 4
    assert found["tail_share"]["phi_tail"][-1] == pytest.approx(1)  # all images together hold the tail's own share
    assert sum(found["cluster_minority"]["size"]) == dataset["split_sizes"]["train"]
    assert sum(map(sum, found["misclassification"]["counts"])) == dataset["split_sizes"]["test"]
    without, bridged = (found["connectivity"]["minority"][name] for name in ("without_ood", "with_ood"))
    assert all(a <= b for a, b in zip(without, bridged, strict=True))
    assert found["feature_map"]["label"].count(-1) == PICKED
