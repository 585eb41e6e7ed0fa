"""A data folder of the version before frameworks and samplers were kinds: read, shown, resumed.

`tests/golden/before_kinds.tar.xz` is the data folder of `colt up` at commit dd80233, after two jobs
on the bundled digits. The first one succeeded (BCL, random). Its row holds `prune_share`,
`mak_passes` and all other settings, as that version stored them. The second one was cancelled after
19 of 60 epochs (SimCLR, COLT).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from colt_core.training.checkpoint import load_backbone, load_checkpoint, load_framework
from tests.support.processes import wait_until
from tests.support.stack import Stack, running_stack

ARCHIVE = Path(__file__).parents[1] / "golden" / "before_kinds.tar.xz"


@pytest.fixture(scope="module")
def old_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("before-kinds")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder / "home", filter="data")
    return folder


@pytest.fixture(scope="module")
def service(old_home: Path) -> Iterator[Stack]:
    with running_stack(old_home, "embedded") as stack:
        yield stack


def job(service: Stack, name: str) -> dict[str, Any]:
    (found,) = (item for item in service.client.get("/api/v1/jobs").json()["items"] if item["name"] == name)
    return found


def test_its_checkpoints_load(old_home: Path) -> None:
    paths = sorted((old_home / "home" / "artifacts" / "jobs").glob("*/checkpoints/*/checkpoint.pt"))
    states = [load_checkpoint(path) for path in paths]
    assert {state["format"] for state in states} == {1}
    for state in states:
        framework, config = load_framework(state)
        assert framework.state_dict().keys() == state["framework"].keys()
        load_backbone(state)
        assert config.sampler.kind in ("random", "colt") and not hasattr(config.sampler, "mak_passes")
    assert {state["config"]["prune_share"] for state in states} == {0.5, 0.9}  # stored, though nothing read it


def test_its_rows_show_what_the_runs_read(service: Stack) -> None:
    finished = job(service, "finished")
    assert finished["status"] == "succeeded"
    config = finished["config"]
    assert (config["framework"], config["sampler"], config["sample_budget"]) == ("bcl", "random", 20)
    assert not {"mak_passes", "match_steps", "cluster_order", "pool_refresh"} & config.keys()
    assert "prune_share" not in config  # it is of BCL's variant D alone
    evaluations = service.client.get(f"/api/v1/jobs/{finished['id']}/evaluations").json()["items"]
    assert {item["kind"] for item in evaluations} == {"linear", "knn", "few_shot"}
    assert all(0 <= item["accuracy"] <= 1 for item in evaluations)
    (analysis,) = service.client.get(f"/api/v1/jobs/{finished['id']}/analyses").json()["items"]
    assert (analysis["kind"], analysis["status"]) == ("tail_share", "succeeded")
    shown = service.client.get(f"/api/v1/jobs/{finished['id']}/ood-tailness?limit=5&selected=true").json()["items"]
    assert len(shown) == 5


def test_its_checkpoint_is_evaluated_and_analysed_anew(service: Stack) -> None:
    path = f"/api/v1/jobs/{job(service, 'finished')['id']}"
    asked = [
        service.client.post(f"{path}/evaluations", json={"kind": "knn", "neighbors": 3}),
        service.client.post(f"{path}/analyses", json={"kind": "uniformity"}),
    ]
    assert [answer.status_code for answer in asked] == [202, 202]
    for answer in asked:
        where = answer.headers["Location"]
        wait_until(lambda where=where: service.client.get(where).json()["status"] == "succeeded", 60, "it succeeded")


def test_a_cancelled_job_goes_on_from_its_checkpoint(service: Stack) -> None:
    cancelled = job(service, "cancelled")
    assert (cancelled["status"], cancelled["progress"]["epoch"]) == ("cancelled", 19)
    path = f"/api/v1/jobs/{cancelled['id']}"
    assert service.client.post(f"{path}/resume").status_code == 202
    wait_until(lambda: service.client.get(path).json()["status"] in ("succeeded", "failed"), 120, "it ended")
    ended = service.client.get(path).json()
    assert (ended["status"], ended["progress"]["epoch"], ended["error"]) == ("succeeded", 60, None)
    attempts = service.client.get(f"{path}/attempts").json()["items"]
    assert sorted(attempt["from_epoch"] for attempt in attempts) == [0, 19]


def test_a_job_may_be_submitted_again_with_the_flat_settings_that_its_kinds_read(service: Stack) -> None:
    finished = job(service, "finished")
    again = {"dataset_id": finished["dataset_id"], "ood_pool_id": finished["ood_pool_id"]}
    answer = service.client.post("/api/v1/jobs", json={**again, "config": finished["config"]})
    assert answer.status_code == 202
    refused = service.client.post("/api/v1/jobs", json={**again, "config": finished["config"] | {"mak_passes": 9}})
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {
            "pointer": "/config/mak_passes",
            "detail": "only sampler 'mak' reads it, and this run's is 'random': leave it out",
        }
    ]
