"""Jobs over HTTP: submission, lists, cancelling and resuming, curves."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from api import queues
from api.jobs.schemas import NewJob
from api.jobs.submission import check, resolve
from store import leases
from store.database import reading, writing
from store.models import Checkpoint, Dataset, Job, JobEvent, OodPool, utc_now
from store.repositories import jobs, profile, recording, request_keys, tokens
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.problems import pointers, problem
from tests.support.results import Rows

API = "/api/v1"
SMALL = {"preset": "digits", "sampler": "none", "batch_size": 4}
SMALL_COLT = {"preset": "digits", "batch_size": 4, "sample_budget": 2, "num_clusters": 2}


def statuses_told(job_id: str) -> list[str]:
    with reading() as session:
        told = session.query(JobEvent).filter_by(job_id=job_id, kind="status").order_by(JobEvent.id)
        return [event.data["status"] for event in told]


def test_only_the_dataset_is_required(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    answer = client.post(f"{API}/jobs", json={"dataset_id": dataset.id, "config": SMALL})
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "queued"
    shown = client.get(answer.headers["location"]).json()
    assert shown["id"] == answer.json()["id"]
    assert shown["name"] == "simclr-none on animals"
    assert shown["evaluations"] == ["linear"]
    assert (shown["config"]["preset"], shown["config"]["epochs"], shown["config"]["temperature"]) == ("digits", 60, 0.2)
    assert shown["progress"] == {
        "epoch": 0,
        "epochs": 60,
        "step": 0,
        "steps": 0,
        "images_per_second": None,
        "eta_seconds": None,
    }
    assert (shown["attempts"], shown["error"], shown["started_at"], shown["finished_at"]) == (0, None, None, None)
    assert statuses_told(shown["id"]) == ["queued"]
    refused = client.post(f"{API}/jobs", json={"dataset_id": dataset.id})  # batch 512, 10 images, and no pool
    assert pointers(refused) == ["/config/batch_size", "/config/sampler"]


WRONG_CONFIGS: list[tuple[dict[str, Any], list[str]]] = [
    ({"unknown": 1}, ["/config/unknown"]),
    ({"epochs": 0}, ["/config/epochs"]),
    ({"epochs": "many"}, ["/config/epochs"]),
    ({"preset": "imagenet"}, ["/config/preset"]),
    ({"top_k": 0.0}, ["/config/top_k", "/config/top_k"]),
    ({"temperature": -1}, ["/config/temperature"]),
    ({"epochs": 0, "width": 0}, ["/config/width", "/config/epochs"]),
    ({"warmup_epochs": 60}, ["/config/warmup_epochs"]),
    ({"epochs": 10**400}, ["/config/epochs"]),
    ({"lr_warmup_epochs": 10**400}, ["/config/lr_warmup_epochs"]),
    ({"sample_interval": 10**400}, ["/config/sample_interval"]),
    # What float32 cannot hold would end the run at its first step.
    ({"temperature": 1e-320}, ["/config/temperature"]),
    ({"final_learning_rate": 1e300}, ["/config/final_learning_rate"]),
    ({"distribution_loss_weight": 1e308}, ["/config/distribution_loss_weight"]),
    ({"batch_size": 11}, ["/config/batch_size"]),
    ({"sample_budget": 9}, ["/config/sample_budget"]),
    ({"num_clusters": 11}, ["/config/num_clusters"]),
    ({"framework": "gh", "projection_dim": 8, "gh_directions": 10}, ["/config/gh_directions"]),
    ({"gh_ramp_epochs": 5, "spread_stop": 0.5}, ["/config/gh_ramp_epochs", "/config/spread_stop"]),
    ({"temperature_high": 1.0}, ["/config/temperature_high"]),
    ({"temperature_schedule": "cosine", "temperature_low": 2}, ["/config/temperature_low"]),
    ({"temperature_schedule": "cosine", "epochs": 9}, ["/config/temperature_schedule"]),
]


def test_configs_that_cannot_run_are_refused(client: TestClient, rows: Rows) -> None:
    dataset, pool = rows.dataset(), rows.pool()
    for change, where in WRONG_CONFIGS:
        body = {"dataset_id": dataset.id, "ood_pool_id": pool.id, "config": {**SMALL_COLT, **change}}
        found = pointers(client.post(f"{API}/jobs", json=body))
        assert sorted(set(found)) == sorted(set(where)), change
    assert client.get(f"{API}/jobs").json()["items"] == []


WRONG_BODIES: list[tuple[dict[str, Any], list[str]]] = [
    ({"dataset_id": "nothing"}, ["/dataset_id"]),
    ({"dataset_id": None}, ["/dataset_id"]),
    ({"ood_pool_id": "nothing"}, ["/ood_pool_id"]),
    ({"evaluations": ["quadratic"]}, ["/evaluations/0"]),
    ({"tags": ["a", ""]}, ["/tags/1"]),
    ({"name": ""}, ["/name"]),
    ({"name": "a\u202eb"}, ["/name"]),
    ({"tags": ["a\u202eb"]}, ["/tags/0"]),
    ({"config": 3}, ["/config"]),
    ({"sampler": "colt"}, ["/sampler"]),
]


def test_samplers_say_whether_they_need_a_pool_and_only_those_do(client: TestClient, rows: Rows) -> None:
    needing = {kind["kind"]: kind["uses_pool"] for kind in client.get(f"{API}/kinds").json()["samplers"]}
    assert {kind for kind, needs in needing.items() if not needs} == {"none", "idfill"}
    dataset, pool = rows.dataset(), rows.pool()
    for kind, needs in needing.items():
        config = {**SMALL_COLT, "sampler": kind, "sample_budget": 50}  # more than there are images
        with_pool = {"dataset_id": dataset.id, "ood_pool_id": pool.id, "config": config}
        for path in ("jobs", "jobs/estimate"):
            where = ["/config/sample_budget"] if needs else ["/ood_pool_id"]
            assert pointers(client.post(f"{API}/{path}", json=with_pool)) == where
        answer = client.post(f"{API}/jobs", json={"dataset_id": dataset.id, "config": config})
        assert (answer.status_code, pointers(answer) if needs else None) == (
            (422, ["/config/sampler"]) if needs else (202, None)
        )


def test_bodies_are_checked(client: TestClient, rows: Rows) -> None:
    right = {"dataset_id": rows.dataset().id, "config": SMALL}
    for change, where in WRONG_BODIES:
        assert pointers(client.post(f"{API}/jobs", json={**right, **change})) == where, change
    for name in ("a\u202eb", "\u2003"):
        told = problem(client.post(f"{API}/jobs", json={**right, "name": name}), 422)["detail"]
        assert "direction of text" in str(told)
    assert pointers(client.post(f"{API}/jobs", content="{", headers={"Content-Type": "application/json"})) == [""]
    assert pointers(client.post(f"{API}/jobs", json=[])) == [""]
    assert pointers(client.post(f"{API}/jobs")) == [""]
    deep = f'{{"dataset_id": "x", "config": {{"epochs": {"[" * 450}{"]" * 450}}}}}'
    assert pointers(client.post(f"{API}/jobs", content=deep, headers={"Content-Type": "application/json"})) == [
        "/config/epochs"
    ]
    assert "Content-Type" in str(problem(client.post(f"{API}/jobs", data={"dataset_id": "x"}), 415)["detail"])


def test_probes_that_the_data_cannot_give_are_refused(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    body = {"dataset_id": dataset.id, "config": SMALL, "evaluations": ["linear", "few_shot"]}
    for counts, refused in (([5, 5, 5], []), ([15, 1, 0], []), ([15, 0, 0], ["/evaluations/0", "/evaluations/1"])):
        with writing() as session:  # 1 % of 900 images are 9 shots, of which a class gives what it has
            values = {"class_counts": [900, 3, 1], "probe_counts": counts}
            session.execute(update(Dataset).where(Dataset.id == dataset.id).values(**values))
        answer = client.post(f"{API}/jobs", json=body)
        assert (answer.status_code, refused and pointers(answer)) == (422 if refused else 202, refused), counts


def test_data_must_be_ready_and_of_one_size(client: TestClient, rows: Rows) -> None:
    ready, pool = rows.dataset(), rows.pool()

    def submit(dataset: Dataset, pool: OodPool) -> Any:
        body = {"dataset_id": dataset.id, "ood_pool_id": pool.id, "config": SMALL_COLT}
        return client.post(f"{API}/jobs", json=body)

    assert "ready" in str(problem(submit(rows.dataset(status="registering"), pool), 409)["detail"])
    assert "ready" in str(problem(submit(ready, rows.pool(status="registering")), 409)["detail"])
    assert pointers(submit(rows.dataset(status="failed"), pool)) == ["/dataset_id"]
    assert pointers(submit(ready, rows.pool(status="failed"))) == ["/ood_pool_id"]
    assert pointers(submit(ready, rows.pool(image_size=16))) == ["/ood_pool_id"]
    assert submit(ready, pool).status_code == 202


def test_same_key_and_body_give_the_same_job(client: TestClient, rows: Rows) -> None:
    body = {"dataset_id": rows.dataset().id, "config": SMALL}
    first = client.post(f"{API}/jobs", json=body, headers={"Idempotency-Key": "k"})
    again = client.post(f"{API}/jobs", json=body, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert again.headers["location"] == first.headers["location"]
    other = client.post(f"{API}/jobs", json={**body, "name": "x"}, headers={"Idempotency-Key": "k"})
    assert "Idempotency-Key" in str(problem(other, 409)["detail"])
    new = client.post(f"{API}/jobs", json=body, headers={"Idempotency-Key": "l"})
    assert new.json()["id"] != first.json()["id"]
    assert pointers(client.post(f"{API}/jobs", json=body, headers={"Idempotency-Key": "k" * 201})) == [
        "idempotency-key:"
    ]


def test_a_key_is_of_one_token_and_has_an_end(client: TestClient, rows: Rows) -> None:
    body = {"dataset_id": rows.dataset().id, "config": SMALL}
    with writing() as session:
        alice, bob = (tokens.create_token(session, name, ["read", "write"]) for name in ("alice", "bob"))

    def submit(token: str, **more: str) -> Any:
        headers = {"Idempotency-Key": "k", "Authorization": f"Bearer {token}"}
        return client.post(f"{API}/jobs", json=body | more, headers=headers)

    first = submit(alice).json()["id"]
    assert submit(bob, name="another body").status_code == 202
    assert submit(alice).json()["id"] == first
    with writing() as session:
        session.execute(update(Job).values(created_at=utc_now() - dt.timedelta(hours=23, minutes=55)))
    assert submit(alice).json()["id"] == first
    with writing() as session:
        session.execute(update(Job).values(created_at=utc_now() - dt.timedelta(hours=24, minutes=1)))
    later = submit(alice, name="a new day")
    assert later.status_code == 202 and later.json()["id"] != first
    with writing() as session:
        request_keys.forget_keys(session, utc_now() - dt.timedelta(hours=24))
        assert session.query(Job).where(Job.idempotency_key.is_not(None)).one().id == later.json()["id"]


def test_one_key_used_at_once_gives_one_job(client: TestClient, rows: Rows) -> None:
    body = {"dataset_id": rows.dataset().id, "config": SMALL}

    def submit(_: int) -> str:
        answer = client.post(f"{API}/jobs", json=body, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(submit, range(16)))) == 1
    assert len(client.get(f"{API}/jobs").json()["items"]) == 1


def test_list_filters_and_orders(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    a = rows.job(dataset, name="a", tags=["x", "grün"], accuracy=0.5, few=0.3, std=0.1, epochs=9)
    b = rows.job(dataset, name="b", tags=["xy"], accuracy=0.9, few=0.2, std=0.2, epochs=100, status="failed")
    c = rows.job(name="c", sampler="colt", accuracy=None, epochs=20, status="queued")

    def names(**query: object) -> str:
        answer = client.get(f"{API}/jobs", params=query)
        assert answer.status_code == 200, answer.text
        return "".join(item["name"] for item in answer.json()["items"])

    assert names() == "cba"
    assert names(order="created_at") == "abc"
    assert names(order="-name") == "cba"
    assert names(order="-accuracy") == "bac"
    assert names(order="accuracy") == "abc"
    assert (names(order="-few"), names(order="few")) == ("abc", "bac")
    assert (names(order="-std"), names(order="std")) == ("bac", "abc")
    assert [item["std"] for item in client.get(f"{API}/jobs", params={"order": "std"}).json()["items"]] == [
        0.1,
        0.2,
        None,
    ]
    assert (names(order="-epochs"), names(order="epochs")) == ("bca", "acb")
    assert names(order="created") == names(order="created_at") == "abc"
    assert names(status="failed") == "b"
    assert names(dataset_id=dataset.id) == "ba"
    assert names(sampler="colt") == "c"
    assert names(framework="bcl") == ""
    assert names(tag="x") == "a"
    assert names(tag="grün") == "a"
    assert names(tag='x" OR 1') == ""
    assert names(status="failed", tag="x") == ""
    assert pointers(client.get(f"{API}/jobs", params={"order": "config"})) == ["?order"]
    assert pointers(client.get(f"{API}/jobs", params={"status": "done"})) == ["?status"]
    assert {a.id, b.id, c.id} == {item["id"] for item in client.get(f"{API}/jobs").json()["items"]}


def test_a_part_of_the_name_finds_a_job(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    for name in ("baseline seed 1", "Baseline seed 2", "100% tail", "a_b"):
        rows.job(dataset, name=name)

    def found(part: str) -> set[str]:
        return {item["name"] for item in client.get(f"{API}/jobs", params={"name": part}).json()["items"]}

    assert found("line SEED") == {"baseline seed 1", "Baseline seed 2"}
    assert found("%") == {"100% tail"}
    assert found("_") == {"a_b"}
    assert found("nothing") == set()
    assert pointers(client.get(f"{API}/jobs", params={"name": ""})) == ["?name"]


def test_a_job_is_renamed_tagged_and_annotated_in_any_status(client: TestClient, rows: Rows) -> None:
    job = rows.job(name="a run", tags=["x"], status="running")
    url = f"{API}/jobs/{job.id}"

    def said(answer: Any) -> tuple[str, list[str], str]:
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        return shown["name"], shown["tags"], shown["notes"]

    assert said(client.get(url)) == ("a run", ["x"], "")
    notes = "Why: the tail.\nNext: more epochs (übung)."
    assert said(client.patch(url, json={"name": "baseline", "notes": notes})) == ("baseline", ["x"], notes)
    assert said(client.patch(url, json={"tags": ["b", "a", "b"]})) == ("baseline", ["b", "a"], notes)
    assert said(client.patch(url, json={"name": None, "notes": "", "tags": []})) == ("baseline", [], "")
    assert said(client.patch(url, json={})) == said(client.get(url))
    assert client.get(url).json()["status"] == "running"


def test_changes_of_a_job_are_checked(client: TestClient, rows: Rows) -> None:
    url = f"{API}/jobs/{rows.job().id}"
    before = client.get(url).json()
    for change, where in [
        ({"name": ""}, ["/name"]),
        ({"name": "a\u202eb"}, ["/name"]),
        ({"tags": ["a", ""]}, ["/tags/1"]),
        ({"tags": [str(number) for number in range(21)]}, ["/tags"]),
        ({"notes": "x" * 10_001}, ["/notes"]),
        ({"notes": "a\u202eb"}, ["/notes"]),
        ({"notes": "\u0000"}, ["/notes"]),
        ({"note": "x"}, ["/note"]),
        ({"config": {"epochs": 1}}, ["/config"]),
    ]:
        assert pointers(client.patch(url, json=change)) == where, change
    assert client.get(url).json() == before
    problem(client.patch(f"{API}/jobs/nothing", json={"name": "x"}), 404)


@pytest.mark.parametrize("order", ["-created", "name", "-accuracy", "accuracy", "few", "-epochs"])
def test_pages_of_every_order_meet(client: TestClient, rows: Rows, order: str) -> None:
    dataset = rows.dataset()
    for number in range(7):
        # Equal names and accuracies, and some without.
        shown = None if number % 3 == 0 else number // 3 / 4
        rows.job(dataset, name=f"n{number // 3}", accuracy=shown, few=shown, epochs=number // 3)
    everything = [item["id"] for item in client.get(f"{API}/jobs", params={"order": order}).json()["items"]]
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        query = {"order": order, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = client.get(f"{API}/jobs", params=query).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert seen == everything
    assert len(set(seen)) == 7
    first = client.get(f"{API}/jobs", params={"order": order, "limit": 2}).json()["next_cursor"]
    other = "-name" if order != "-name" else "name"
    assert pointers(client.get(f"{API}/jobs", params={"order": other, "cursor": first})) == ["?cursor"]


@pytest.mark.parametrize(
    ("status", "cancelled", "resumed", "deletable"),
    [
        ("queued", "cancelled", None, True),
        ("running", "cancelling", None, False),
        ("cancelling", None, None, False),
        ("cancelled", None, "queued", True),
        ("failed", None, "queued", True),
        ("succeeded", None, None, True),
    ],
)
def test_steering_follows_the_status(
    client: TestClient, rows: Rows, status: str, cancelled: str | None, resumed: str | None, deletable: bool
) -> None:
    dataset = rows.dataset()
    for action, outcome in (("cancel", cancelled), ("resume", resumed)):
        job = rows.job(dataset, status=status, attempts=3, error="broken")
        url = f"{API}/jobs/{job.id}"
        answer = client.post(f"{url}/{action}")
        if outcome is None:
            assert status in str(problem(answer, 409)["detail"])
            assert client.get(url).json()["status"] == status
            assert statuses_told(job.id) == ["queued"]
        else:
            assert (answer.status_code, answer.json()) == (202, {"id": job.id, "status": outcome})
            shown = client.get(url).json()
            assert shown["status"] == outcome
            assert statuses_told(job.id) == ["queued", outcome]
            if action == "resume":
                assert (shown["attempts"], shown["error"], shown["finished_at"]) == (0, None, None)
    job = rows.job(dataset, status=status)
    answer = client.delete(f"{API}/jobs/{job.id}")
    if deletable:
        assert answer.status_code == 204
        problem(client.get(f"{API}/jobs/{job.id}"), 404)
    else:
        problem(answer, 409)
        assert client.get(f"{API}/jobs/{job.id}").status_code == 200


def test_a_cancelled_job_is_claimed_by_nobody(client: TestClient, rows: Rows) -> None:
    job = rows.job(status="queued")
    client.post(f"{API}/jobs/{job.id}/cancel")
    with writing() as session:
        assert leases.claim(session, Job, "worker", 30) is None


def test_deleting_takes_all_that_was_recorded(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    checkpoint = rows.checkpoint(job, 1)
    rows.metric(job, "loss", [1.0])
    rows.tailness(job, 1, [0.0] * 10)
    rows.sampling_round(job, 1, [0.0] * 8, [0] * 8, [0] * 8)
    assert client.delete(f"{API}/jobs/{job.id}").status_code == 204
    problem(client.get(f"{API}/checkpoints/{checkpoint.id}/download"), 404)
    problem(client.get(f"{API}/jobs/{job.id}/metrics"), 404)
    with reading() as session:
        assert session.query(JobEvent).count() == 0


def test_every_call_on_a_missing_job_is_a_404(client: TestClient) -> None:
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/resume"),
        ("GET", "/events"),
        ("GET", "/metrics"),
        ("GET", "/profile"),
        ("GET", "/evaluations"),
        ("GET", "/checkpoints"),
        ("GET", "/rounds"),
        ("GET", "/rounds/1"),
        ("GET", "/tailness/samples"),
        ("GET", "/tailness/samples/0"),
        ("GET", "/tailness/classes"),
        ("GET", "/ood-tailness"),
        ("GET", "/ood-tailness/0"),
        ("GET", "/ood-tailness/export"),
    ):
        problem(client.request(method, f"{API}/jobs/nothing{path}"), 404)
    problem(client.post(f"{API}/jobs/nothing/evaluations", json={"kind": "knn"}), 404)


def test_curves_are_thinned_without_losing_extremes(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    loss = [float(step % 7) for step in range(3000)]
    loss[1234], loss[2321] = 99.0, -99.0
    rows.metric(job, "loss", loss)
    rows.metric(job, "learning_rate", [0.5, 0.25, 0.125])
    url = f"{API}/jobs/{job.id}/metrics"
    whole = client.get(url, params={"max_points": 3000}).json()
    assert whole["loss"] == {"step": list(range(1, 3001)), "value": loss}
    for max_points in (4, 10, 101, 1000):
        thin = client.get(url, params={"max_points": max_points}).json()
        steps, values = thin["loss"]["step"], thin["loss"]["value"]
        assert len(steps) <= max_points
        assert steps == sorted(set(steps))
        assert values == [loss[step - 1] for step in steps]
        assert (max(values), min(values)) == (99.0, -99.0)
        assert (steps[0], steps[-1]) == (1, 3000)
        assert thin["learning_rate"] == {"step": [1, 2, 3], "value": [0.5, 0.25, 0.125]}
    assert list(client.get(url, params={"name": "loss"}).json()) == ["loss"]
    assert sorted(client.get(url, params={"name": ["loss", "learning_rate"]}).json()) == ["learning_rate", "loss"]
    assert client.get(url, params={"name": "nothing"}).json() == {}
    assert pointers(client.get(url, params={"max_points": 3})) == ["?max_points"]


def test_curves_after_a_step_are_the_new_points_alone(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    rows.metric(job, "loss", [float(step) for step in range(1, 2001)])
    rows.metric(job, "epoch_loss", [1.0])
    url = f"/api/v1/jobs/{job.id}/metrics"
    assert client.get(url, params={"after_step": 1998}).json() == {
        "loss": {"step": [1999, 2000], "value": [1999.0, 2000.0]}
    }
    thin = client.get(url, params={"after_step": 1000, "max_points": 10}).json()["loss"]["step"]
    assert (thin[0], thin[-1]) == (1001, 2000)
    assert len(thin) <= 10
    assert client.get(url, params={"after_step": 0}).json() == client.get(url).json()
    assert client.get(url, params={"after_step": 2**62}).json() == {}


def test_the_profile_is_the_sum_of_curves_however_long_they_are(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    url = f"{API}/jobs/{job.id}/profile"
    nothing = dict.fromkeys(("epochs", "data", "forward_backward", "tailness", "round", "other"), 0)
    assert client.get(url).json() == {**nothing, "evaluation": None}
    epochs = 3000  # more than the points of a downsampled curve
    for phase, seconds in (("data", 0.25), ("forward_backward", 1.0), ("tailness", 0.125), ("round", 0.0)):
        rows.metric(job, f"{phase}_seconds", [seconds] * epochs)
    rows.metric(job, "epoch_seconds", [1.5] * epochs)
    rows.metric(job, "learning_rate", [0.5] * epochs)
    rows.metric(rows.job(), "data_seconds", [9.0])
    assert client.get(url).json() == {
        "epochs": epochs,
        "data": 750.0,
        "forward_backward": 3000.0,
        "tailness": 375.0,
        "round": 0.0,
        "other": 375.0,
        "evaluation": None,
    }
    for seconds in (2.0, 5.0):  # of the first probe, and of both
        with writing() as session:
            session.merge(profile.evaluation_point(job.id, epochs, seconds))
    assert client.get(url).json()["evaluation"] == 5.0


def test_a_job_says_what_it_computes_on_once_it_knows(client: TestClient, rows: Rows) -> None:
    compute = {"device": "cpu", "precision": "fp32", "reason": "this CPU does not multiply in bf16", "threads": 4}
    waiting, started = rows.job(status="queued"), rows.job(status="running", compute=compute)
    assert client.get(f"{API}/jobs/{waiting.id}").json()["compute"] is None
    assert client.get(f"{API}/jobs/{started.id}").json()["compute"] == {**compute, "versions": None}


def test_a_lost_race_for_a_transition_changes_nothing(rows: Rows) -> None:
    job = rows.job(status="succeeded")
    with writing() as session:
        assert not jobs.transition(session, job.id, {"running"}, "cancelling")
    assert statuses_told(job.id) == ["queued"]


def test_values_that_no_database_takes(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    for path in ("/jobs/%00", "/datasets/%00", "/checkpoints/%00/download", "/jobs?tag=%00", "/jobs?dataset_id=%00"):
        assert client.get(f"{API}{path}").status_code in {200, 404, 422}, path
    huge = "9" * 20
    for path in (f"rounds/{huge}", f"tailness/samples/{huge}", f"ood-tailness?round={huge}"):
        problem(client.get(f"{API}/jobs/{job.id}/{path}"), 422)
    problem(client.get(f"{API}/jobs/{job.id}/events", headers={"Last-Event-ID": "9" * 30}), 422)
    problem(client.get(f"{API}/jobs/{job.id}/events", headers={"Last-Event-ID": "x"}), 422)


def starting(client: TestClient, dataset: Dataset, checkpoint_id: str, **config: Any) -> Any:
    body = {"dataset_id": dataset.id, "config": SMALL | config, "start_from": {"checkpoint_id": checkpoint_id}}
    return client.post(f"{API}/jobs", json=body)


def test_a_job_begins_with_the_checkpoint_of_another(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    source = rows.job(dataset)
    checkpoint = rows.checkpoint(source, 7)
    answer = starting(client, dataset, checkpoint.id, epochs=5)
    assert answer.status_code == 202, answer.text
    shown = client.get(answer.headers["location"]).json()
    assert shown["start_from"] == {"checkpoint_id": checkpoint.id, "job_id": source.id, "epoch": 7}
    assert shown["progress"]["epochs"] == 5
    assert client.get(f"{API}/jobs/{source.id}").json()["start_from"] is None

    assert pointers(starting(client, dataset, "nothing")) == ["/start_from/checkpoint_id"]
    assert pointers(starting(client, dataset, "")) == ["/start_from/checkpoint_id"]
    misfit = starting(client, dataset, checkpoint.id, width=32, stem="cifar", backbone="resnet18")
    assert pointers(misfit) == ["/config/backbone", "/config/width", "/config/stem"]
    assert "set 'resnet10'" in str(problem(misfit, 422)["detail"])
    with writing() as session:
        session.get_one(Checkpoint, checkpoint.id).sha256 = ""  # damaged
    assert pointers(starting(client, dataset, checkpoint.id)) == ["/start_from/checkpoint_id"]


def test_a_job_stays_as_long_as_another_is_to_begin_with_its_checkpoint(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    source = rows.job(dataset)
    url = f"{API}/jobs/{source.id}"
    for end in ("begins", "is deleted"):
        checkpoint = rows.checkpoint(source, 7)
        further = starting(client, dataset, checkpoint.id).json()["id"]
        told = str(problem(client.delete(url), 409)["detail"])
        assert "'simclr-none on animals'" in told and "Delete that job first" in told
        if end == "begins":
            with writing() as session:
                session.get_one(Job, further).start_checkpoint_id = None
        else:
            assert client.delete(f"{API}/jobs/{further}").status_code == 204
    assert client.delete(url).status_code == 204
    (left,) = client.get(f"{API}/jobs").json()["items"]
    assert left["start_from"]["job_id"] == source.id  # it says where its weights came from all the same


def test_a_checkpoint_that_a_job_is_to_begin_with_is_kept(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    source = rows.job(dataset)
    wanted = rows.checkpoint(source, 1)
    rows.checkpoint(source, 2)
    further = starting(client, dataset, wanted.id).json()["id"]
    with writing() as session:
        assert recording.drop_old_checkpoints(session, source.id, keep=1) == []
    with writing() as session:  # the run comes to the same state again, after a crash
        same = Checkpoint(id="again", job_id=source.id, epoch=1, step=1, artifact=wanted.artifact, bytes=1, sha256="s")
        assert recording.replace_checkpoint(session, same) == [wanted.artifact]
        assert session.get_one(Job, further).start_checkpoint_id == "again"
        session.get_one(Job, further).start_checkpoint_id = None
        session.flush()
        assert recording.drop_old_checkpoints(session, source.id, keep=1) == [wanted.artifact]


def test_jobs_of_a_group_share_the_beginnings_that_are_equal(client: TestClient, rows: Rows) -> None:
    dataset, pool = rows.dataset(), rows.pool()

    def beginning(group: str | None = "g", sampler: str = "colt", **config: Any) -> str | None:
        settings = {**SMALL_COLT, "sampler": sampler, **config}
        read = None if sampler == "none" else pool.id
        wanted = NewJob(dataset_id=dataset.id, ood_pool_id=read, config=settings, evaluations=[])
        with reading() as session:
            return check(session, wanted, resolve(wanted.config)).row(queues.place(session, Job, None), group).beginning

    assert beginning() == beginning(sampler="random") == beginning(num_clusters=1)
    assert beginning() == beginning(sampler="none", match_steps=True) != None  # noqa: E711
    assert len({beginning(), beginning("other"), beginning(seed=1), beginning(temperature=0.3)}) == 4
    assert beginning(None) is beginning(sampler="none", num_clusters=2) is None
    answer = client.post(f"{API}/jobs", json={"dataset_id": dataset.id, "config": SMALL})
    with reading() as session:
        assert session.get_one(Job, answer.json()["id"]).beginning is None
    assert client.get(answer.headers["location"]).json()["beginning_job_id"] is None
