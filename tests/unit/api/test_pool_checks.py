"""Checks of a pool over HTTP: what can be asked, what is shown, and what jobs learn from them."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from colt_core.config import PretrainConfig
from colt_core.data.dataset import PARTS
from colt_core.pools.kinds import BudgetUse, NearDuplicate, NearDuplicates, PoolCheckResult, Reach
from store.database import writing
from store.models import Checkpoint, Dataset, OodPool, PoolCheck, utc_now
from store.statuses import WorkStatus
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.problems import pointers, problem
from tests.support.results import Rows

API = "/api/v1"
SMALL_COLT = {"preset": "digits", "batch_size": 4, "sample_budget": 2, "num_clusters": 2}


@pytest.fixture
def dataset(rows: Rows) -> Dataset:
    return rows.dataset(digests=True)


@pytest.fixture
def checkpoint(rows: Rows, dataset: Dataset) -> Checkpoint:
    return rows.checkpoint(rows.job(dataset), 1)


@pytest.fixture
def pool(rows: Rows) -> OodPool:
    return rows.pool(digests=True, first=40)


def ask(client: TestClient, pool: OodPool, dataset: Dataset, checkpoint: Checkpoint, **body: Any) -> Any:
    wanted = {"dataset_id": dataset.id, "checkpoint_id": checkpoint.id, "budget": 3} | body
    return client.post(f"{API}/ood-pools/{pool.id}/check", json=wanted)


def found(near: int, exact: int, of_test: bool) -> dict[str, Any]:
    """A result with near-duplicates of one part; the last ones are exact."""
    part = "test" if of_test else "train"
    none = dict.fromkeys(PARTS, 0)
    examples = [
        NearDuplicate(pool_index=i, index=0, part=part, label=0, similarity=1.0, difference=float(i < near - exact))
        for i in range(near)
    ]
    result = PoolCheckResult(
        verdict="leak",
        findings=[],
        num_train=10,
        num_pool=8,
        in_distribution=8,
        reach=Reach(expected=1, group={}, reached=[], own_similarity=[], pool_similarity=[], verdict=[]),
        near_duplicates=NearDuplicates(
            count=near, by_part=none | {part: near}, exact_by_part=none | {part: exact}, examples=examples
        ),
        use=BudgetUse(
            budget=3, tailness_from="checkpoint", clusters=[], near_no_class=0, near_no_tail_class=0, near_duplicates=0
        ),
    )
    return result.model_dump(mode="json")


def finish(address: str, result: dict[str, Any]) -> None:
    with writing() as session:
        row = session.get_one(PoolCheck, address.rpartition("/")[2])
        row.status, row.result, row.finished_at = WorkStatus.SUCCEEDED, result, utc_now()


def test_a_check_is_shown_and_listed_under_its_pool(
    client: TestClient, rows: Rows, pool: OodPool, dataset: Dataset, checkpoint: Checkpoint
) -> None:
    answer = ask(client, pool, dataset, checkpoint)
    address = answer.headers["location"]
    assert answer.status_code == 202 and address.startswith(f"{API}/ood-pools/{pool.id}/checks/")
    shown = client.get(address).json()
    named = {
        "ood_pool_id": pool.id,
        "dataset_id": dataset.id,
        "job_id": checkpoint.job_id,
        "checkpoint_id": checkpoint.id,
    }
    assert shown.items() >= (named | {"budget": 3, "epoch": 1, "status": "queued", "result": None}).items()
    second = ask(client, pool, dataset, checkpoint, budget=4).headers["location"]
    listed = client.get(f"{API}/ood-pools/{pool.id}/checks?limit=1").json()
    assert [item["id"] for item in listed["items"]] == [second.rpartition("/")[2]] and "result" not in listed["items"][
        0
    ]
    rest = client.get(f"{API}/ood-pools/{pool.id}/checks?cursor={listed['next_cursor']}").json()
    assert [item["id"] for item in rest["items"]] == [shown["id"]]
    finish(address, found(1, 0, of_test=True))
    assert client.get(address).json()["result"] == found(1, 0, of_test=True)
    other = rows.pool("other")
    for call in (client.get, client.delete):
        problem(call(address.replace(pool.id, other.id)), 404)
    problem(client.post(f"{address.replace(pool.id, other.id)}/cancel"), 404)
    assert client.get(f"{API}/ood-pools/{other.id}/checks").json()["items"] == []


def test_another_data_set_or_pool_is_another_check(
    client: TestClient, rows: Rows, pool: OodPool, dataset: Dataset, checkpoint: Checkpoint
) -> None:
    first = ask(client, pool, dataset, checkpoint).json()
    assert ask(client, pool, dataset, checkpoint).json() == first
    others = {ask(client, rows.pool(), dataset, checkpoint).json()["id"], first["id"]}
    others.add(ask(client, pool, rows.dataset("more"), checkpoint).json()["id"])
    assert len(others) == 3


def test_what_cannot_be_checked_is_refused_with_a_pointer(
    client: TestClient, rows: Rows, pool: OodPool, dataset: Dataset, checkpoint: Checkpoint
) -> None:
    many = PretrainConfig.resolve({"preset": "digits", "sampler": "none", "batch_size": 4, "num_clusters": 11})
    of_many = rows.checkpoint(rows.job(dataset, config=many.model_dump(mode="json")), 1)
    large, large_pool = rows.dataset("large", image_size=16), rows.pool("large", image_size=16)
    for refused, where in (
        (ask(client, pool, dataset, checkpoint, budget=9), ["/budget"]),
        (ask(client, pool, dataset, checkpoint, budget=0), ["/budget"]),
        (ask(client, pool, dataset, checkpoint, checkpoint_id="no"), ["/checkpoint_id"]),
        (ask(client, pool, dataset, checkpoint, dataset_id="no"), ["/dataset_id"]),
        (ask(client, pool, dataset, checkpoint, budgt=1), ["/budgt"]),
        (ask(client, pool, rows.unlabelled(), checkpoint), ["/dataset_id"]),
        (ask(client, pool, dataset, of_many), ["/dataset_id"]),
        (ask(client, large_pool, dataset, checkpoint), ["/dataset_id"]),
        (ask(client, large_pool, large, checkpoint), ["/checkpoint_id"]),
    ):
        assert pointers(refused) == where, refused.text
    problem(client.post(f"{API}/ood-pools/no/check", json={"dataset_id": "d", "checkpoint_id": "c", "budget": 1}), 404)
    problem(ask(client, rows.pool("new", status="registering"), dataset, checkpoint), 409)
    problem(ask(client, pool, rows.dataset("new", status="registering"), checkpoint), 409)


def test_a_check_with_a_backbone_names_it_and_no_checkpoint(
    client: TestClient, rows: Rows, pool: OodPool, dataset: Dataset, checkpoint: Checkpoint
) -> None:
    backbone = rows.backbone()
    of_backbone: dict[str, Any] = {"checkpoint_id": None, "backbone_id": backbone.id}
    answer = ask(client, pool, dataset, checkpoint, **of_backbone)
    assert answer.status_code == 202, answer.text
    address = answer.headers["location"]
    shown = client.get(address).json()
    nothing = {"job_id": None, "checkpoint_id": None, "epoch": None}
    assert shown.items() >= ({"backbone_id": backbone.id, "status": "queued", "budget": 3} | nothing).items()
    assert ask(client, pool, dataset, checkpoint, **of_backbone).json() == answer.json()
    others = {ask(client, pool, dataset, checkpoint).json()["id"], shown["id"]}
    others.add(ask(client, rows.pool(), dataset, checkpoint, **of_backbone).json()["id"])
    others.add(ask(client, pool, dataset, checkpoint, **of_backbone, budget=4).json()["id"])
    assert len(others) == 4
    assert client.get(f"{API}/ood-pools/{pool.id}/checks").json()["items"][-1]["id"] == shown["id"]
    assert client.post(f"{address}/cancel").json()["status"] == "cancelled"
    for change, where in (
        ({"checkpoint_id": None}, [""]),
        ({"backbone_id": backbone.id}, [""]),
        (of_backbone | {"backbone_id": "no"}, ["/backbone_id"]),
        (of_backbone | {"backbone_id": rows.backbone("failed").id}, ["/backbone_id"]),
        (of_backbone | {"budget": 9}, ["/budget"]),
    ):
        assert pointers(ask(client, pool, dataset, checkpoint, **change)) == where
    problem(
        ask(client, pool, dataset, checkpoint, **of_backbone | {"backbone_id": rows.backbone("registering").id}), 409
    )
    assert client.delete(f"{API}/backbones/{backbone.id}").status_code == 204
    problem(client.get(address), 404)


@pytest.mark.parametrize("path", ["ood-pools/{pool}", "datasets/{other}"])
def test_checks_go_with_their_pool_or_data_set(
    client: TestClient, rows: Rows, pool: OodPool, checkpoint: Checkpoint, path: str
) -> None:
    other = rows.dataset("more")
    address = ask(client, pool, other, checkpoint).headers["location"]
    assert client.delete(f"{API}/{path.format(pool=pool.id, other=other.id)}").status_code == 204
    problem(client.get(address), 404)


def test_a_job_in_events_of_near_duplicates_that_a_check_has_found(
    client: TestClient, rows: Rows, pool: OodPool, dataset: Dataset, checkpoint: Checkpoint
) -> None:
    evaluated = rows.dataset("evaluated", digests=True)

    def warned(**body: Any) -> dict[str, tuple[int, list[int]]]:
        wanted = {"dataset_id": dataset.id, "ood_pool_id": pool.id, "config": SMALL_COLT} | body
        answer = client.post(f"{API}/jobs", json=wanted)
        assert answer.status_code == 202, answer.text
        shown = client.get(answer.headers["location"]).json()["warnings"]
        return {one["code"]: (one["count"], one["examples"]) for one in shown}

    elsewhere = {"evaluation_dataset_id": evaluated.id}
    assert warned() == warned(**elsewhere) == {}
    finish(ask(client, pool, evaluated, checkpoint).headers["location"], found(5, 2, of_test=True))
    assert warned() == {}
    assert warned(**elsewhere) == {"pool_nearly_holds_test_images": (3, [0, 1, 2])}
    finish(ask(client, pool, dataset, checkpoint).headers["location"], found(2, 0, of_test=False))
    both = {"pool_nearly_holds_test_images": (3, [0, 1, 2]), "pool_nearly_holds_training_images": (2, [0, 1])}
    assert warned(**elsewhere) == both
    assert warned() == {"pool_nearly_holds_training_images": (2, [0, 1])}
    finish(ask(client, pool, dataset, checkpoint, budget=2).headers["location"], found(2, 2, of_test=False))
    assert warned() == {}  # the last check counts, and digests find exact copies


def test_a_pool_that_holds_other_images_of_the_evaluated_data_is_found_out(client: TestClient, rows: Rows) -> None:
    evaluated, trained = rows.dataset("evaluated", digests=True), rows.unlabelled(digests=True, first=50)
    held = rows.pool(digests=True, first=20)  # four of the probe part, four of the test part
    body = {"dataset_id": trained.id, "ood_pool_id": held.id, "evaluation_dataset_id": evaluated.id}
    answer = client.post(f"{API}/jobs", json=body | {"config": SMALL_COLT})
    shown = client.get(answer.headers["location"]).json()["warnings"]
    assert {one["code"]: (one["count"], one["examples"]) for one in shown} == {
        "pool_holds_test_images": (4, [4, 5, 6, 7]),
        "pool_holds_evaluation_images": (4, [0, 1, 2, 3]),
    }
