"""Equal requests, full queues, fair turns and the cancelling of many, on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, func, select

from colt_core.analyses.kinds import analyses
from colt_core.probes.kinds import probes
from store import leases
from store.database import get_engine, reading, writing
from store.models import ApiToken, Dataset, Job, Leased, OodPool, leased_models
from store.repositories import events, tokens
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.problems import pointers, problem
from tests.support.results import Rows
from tests.support.settings import settings_of

API = "/api/v1"
DATASET = {"name": "d", "source": {"kind": "sample", "name": "digits"}}
POOL = {"name": "p", "source": {"kind": "sample", "name": "glyphs-and-patches"}}
CONFIG = {"preset": "digits", "sampler": "none", "batch_size": 4}


@pytest.fixture
def most_three(home: object) -> Iterator[None]:
    with settings_of({"COLT_MAX_QUEUED": "3"}):
        yield


def token(name: str) -> dict[str, str]:
    with writing() as session:
        return {"Authorization": f"Bearer {tokens.create_token(session, name, ['read', 'write'])}"}


def count(model: type[Leased]) -> int:
    with reading() as session:
        return session.scalars(select(func.count()).select_from(model)).one()


def take(model: type[Leased]) -> leases.Lease:
    with writing() as session:
        lease = leases.claim(session, model, "w", 60)
    assert lease is not None
    return lease


def submit(client: TestClient, dataset: Dataset, headers: dict[str, str] | None = None, **body: Any) -> str:
    asked = {"dataset_id": dataset.id, "config": CONFIG, "evaluations": [], **body}
    answer = client.post(f"{API}/jobs", json=asked, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize(("noun", "body", "model"), [("datasets", DATASET, Dataset), ("ood-pools", POOL, OodPool)])
def test_equal_registrations_at_once_are_one(
    client: TestClient, noun: str, body: dict[str, Any], model: type[Leased]
) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post(f"{API}/{noun}", json=body), range(16)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == count(model) == 1
    assert client.post(f"{API}/{noun}", json={**body, "name": "another"}).json()["id"] != answers[0].json()["id"]
    lease = take(model)
    assert client.post(f"{API}/{noun}", json=body).json()["id"] == lease.id  # while it runs, too
    with writing() as session:
        leases.finish(session, lease, "ready")
    assert client.post(f"{API}/{noun}", json=body).json()["id"] != lease.id  # files on the server may have changed


def test_another_token_gets_a_registration_of_its_own(client: TestClient) -> None:
    found = {client.post(f"{API}/datasets", json=DATASET, headers=token(name)).json()["id"] for name in "ab"}
    assert len(found) == 2


@pytest.mark.parametrize("kind", [f"evaluations/{kind}" for kind in probes] + [f"analyses/{kind}" for kind in analyses])
def test_equal_work_on_a_checkpoint_is_one_row(client: TestClient, rows: Rows, kind: str) -> None:
    noun, _, name = kind.partition("/")
    checkpoint = rows.checkpoint(rows.job(pool=rows.pool()), 1)
    address, body = f"{API}/jobs/{checkpoint.job_id}/{noun}", {"kind": name}
    first = client.post(address, json=body)
    assert first.status_code == 202, first.text
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post(address, json=body), range(40)))
    (model,) = (model for model in leased_models() if model.__tablename__ == noun)
    assert {answer.json()["id"] for answer in answers} == {first.json()["id"]}
    assert count(model) == 1


def test_a_token_has_so_many_in_the_queue_and_another_has_its_own(
    client: TestClient, rows: Rows, most_three: None
) -> None:
    dataset, first, second = rows.dataset(), token("first"), token("second")
    bodies = [{"dataset_id": dataset.id, "name": f"run {number}", "config": CONFIG} for number in range(12)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: client.post(f"{API}/jobs", json=body, headers=first), bodies))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 9
    refused = next(answer for answer in answers if answer.status_code == 429)
    told = str(problem(refused, 429)["detail"])
    assert told.startswith("3 jobs of this token wait in the queue") and "COLT_MAX_QUEUED" in told
    assert int(refused.headers["retry-after"]) > 0
    own = submit(client, dataset, second)
    assert [take(Job).id for _ in range(2)].count(own) == 1
    submit(client, dataset, first)  # one of its own has begun


@pytest.mark.parametrize("noun", ["datasets", "ood-pools"])
def test_registrations_fill_no_queue(client: TestClient, most_three: None, noun: str) -> None:
    body = DATASET if noun == "datasets" else POOL
    answers = [client.post(f"{API}/{noun}", json={**body, "name": f"d{number}"}) for number in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert "without a token" in str(problem(answers[-1], 429)["detail"])


def test_evaluations_and_resumed_jobs_fill_no_queue(client: TestClient, rows: Rows, most_three: None) -> None:
    checkpoint = rows.checkpoint(rows.job(), 1)
    address = f"{API}/jobs/{checkpoint.job_id}/evaluations"
    answers = [client.post(address, json={"kind": "knn", "neighbors": number}) for number in range(1, 5)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert client.post(address, json={"kind": "knn", "neighbors": 1}).status_code == 202  # there is one
    stopped = [rows.job(status="cancelled") for _ in range(4)]
    resumed = [client.post(f"{API}/jobs/{job.id}/resume").status_code for job in stopped]
    assert resumed == [202, 202, 202, 429]
    assert client.get(f"{API}/jobs/{stopped[3].id}").json()["status"] == "cancelled"


def test_tokens_take_turns_and_a_job_shows_its_position(client: TestClient, rows: Rows) -> None:
    dataset, many, few = rows.dataset(), token("many"), token("few")
    of_many = [submit(client, dataset, many) for _ in range(4)]
    of_few = submit(client, dataset, few)

    def position(job_id: str) -> int | None:
        shown = client.get(f"{API}/jobs/{job_id}", headers=few).json()["queue_position"]
        assert shown is None or isinstance(shown, int)
        return shown

    assert [position(job_id) for job_id in (of_many[0], of_few, *of_many[1:])] == [0, 1, 2, 3, 4]
    assert [take(Job).id for _ in range(3)] == [of_many[0], of_few, of_many[1]]
    assert [position(job_id) for job_id in (of_few, of_many[2])] == [None, 0]
    listed = client.get(f"{API}/jobs", headers=few).json()["items"]
    assert {item["queue_position"] for item in listed} == {None}


def test_many_are_cancelled_by_filters(client: TestClient, rows: Rows) -> None:
    dataset, own, other = rows.dataset(), token("own"), token("other")
    swept = [submit(client, dataset, own, tags=["sweep"]) for _ in range(3)]
    kept = submit(client, dataset, own)
    theirs = submit(client, dataset, other, tags=["sweep"])
    running = take(Job).id
    assert running == swept[0]

    def cancel(**body: Any) -> dict[str, Any]:
        answer = client.post(f"{API}/jobs/cancel", json=body, headers=own)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    nothing = {"cancelled": [], "cancelling": [], "more": False}
    assert cancel(tag="nowhere") == cancel(ids=[]) == nothing
    assert cancel(tag="sweep", mine=True, status="queued") == nothing | {"cancelled": sorted(swept[1:])}
    assert cancel(tag="sweep") == nothing | {"cancelled": [theirs], "cancelling": [running]}
    assert cancel(ids=[kept, theirs, "missing"]) == nothing | {"cancelled": [kept]}
    statuses = {item["id"]: item["status"] for item in client.get(f"{API}/jobs", headers=own).json()["items"]}
    assert statuses == {**dict.fromkeys([*swept, kept, theirs], "cancelled"), running: "cancelling"}


def test_many_are_cancelled_by_as_many_statements_as_one(client: TestClient, rows: Rows) -> None:
    dataset, ran = rows.dataset(), list[str]()
    event.listen(get_engine(), "before_cursor_execute", lambda *seen: ran.append(seen[2]))

    def statements(jobs: int) -> int:
        queued = [rows.job(dataset, status="queued").id for _ in range(jobs)]
        ran.clear()
        told = client.post(f"{API}/jobs/cancel", json={"status": "queued"}).json()
        assert told["cancelled"] == sorted(queued)
        return len(ran)

    assert statements(40) == statements(1) > 0
    for job_id in {job["id"] for job in client.get(f"{API}/jobs?limit=1000").json()["items"]}:
        with reading() as session:
            assert [told.data["status"] for told in events.after(session, job_id, 0, 9)][-1] == "cancelled"


@pytest.mark.parametrize("mine", ["yes", 1])
def test_only_true_is_true(client: TestClient, rows: Rows, mine: object) -> None:
    waiting = rows.job(rows.dataset(), status="queued")
    told = problem(client.post(f"{API}/jobs/cancel", json={"status": "queued", "mine": mine}), 422)
    assert told["errors"][0]["pointer"] == "/mine"
    assert client.get(f"{API}/jobs/{waiting.id}").json()["status"] == "queued"


@pytest.mark.parametrize("body", [{}, {"mine": False}, {"ids": None}])
def test_not_all_are_cancelled_by_mistake(client: TestClient, rows: Rows, body: dict[str, Any]) -> None:
    job = submit(client, rows.dataset())
    answer = client.post(f"{API}/jobs/cancel", json=body)
    assert "say which jobs" in str(problem(answer, 422)["detail"])
    assert client.get(f"{API}/jobs/{job}").json()["status"] == "queued"
    assert pointers(client.post(f"{API}/jobs/cancel", json={"status": "ended"})) == ["/status"]


def test_a_revoked_token_leaves_its_work_in_the_queue(client: TestClient, rows: Rows) -> None:
    dataset, gone, left = rows.dataset(), token("gone"), token("left")
    job = submit(client, dataset, gone)
    with writing() as session:
        (row,) = session.scalars(select(ApiToken).where(ApiToken.name == "gone"))
        tokens.revoke(session, row.id)
    assert client.get(f"{API}/jobs/{job}", headers=left).json()["queue_position"] == 0
    assert take(Job).id == job


def test_what_is_known_to_be_small_passes_what_is_not(client: TestClient, home: Path) -> None:
    allowed = home.parent / "allowed"
    (allowed / "folder").mkdir()
    for name, size in (("large.npz", 5001), ("small.npz", 50)):
        (allowed / name).write_bytes(bytes(size))
    with settings_of({"COLT_SMALL_BYTES": "50"}):
        for name in ("folder", "large.npz", "small.npz"):
            body = {"name": name, "source": {"kind": "path", "path": str(allowed / name)}}
            assert client.post(f"{API}/ood-pools", json=body).status_code == 202
        assert client.post(f"{API}/ood-pools", json=POOL).status_code == 202
        with reading() as session:
            found = {
                pool.name: (pool.is_large, pool.turn - pool.turn_from) for pool in session.scalars(select(OodPool))
            }
            taken = [session.get_one(OodPool, take(OodPool).id).name for _ in range(4)]
    assert found == {
        "folder": (True, 10_000),
        "large.npz": (True, 100_000),
        "small.npz": (False, 1000),
        "p": (False, 1000),
    }
    assert taken == ["small.npz", "p", "folder", "large.npz"]
