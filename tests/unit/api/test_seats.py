"""The machines of a job, and who may ask for how many."""

from __future__ import annotations

from fastapi.testclient import TestClient

from store.database import writing
from store.devices import Devices
from store.repositories import seats
from store.repositories.seats import Offer
from tests.support.problems import pointers, problem
from tests.support.results import Rows
from tests.unit.api.test_workers import API, add_worker, submitted


def test_the_seats_of_a_job(client: TestClient, rows: Rows) -> None:
    job = rows.job(status="queued", config={"num_hosts": 2, "num_processes": 2})
    problem(client.get(f"{API}/jobs/none/seats"), 404)
    assert client.get(f"{API}/jobs/{job.id}/seats").json() == {"items": [], "next_cursor": None}
    offered = []
    for number in (1, 2):
        with writing() as session:
            seat = seats.offer(session, Offer(f"w-{number}", f"10.0.0.{number}", {}), Devices(8), 60)
            assert seat is not None
            offered.append(seat.id)
    (waits,) = [one for one in client.get(f"{API}/jobs/{job.id}/seats").json()["items"] if one["worker_id"] == "w-1"]
    assert (waits["attempt"], waits["node_rank"], waits["port"]) == (None, None, None)
    with writing() as session:
        assert seats.begin(session, offered[0], 60) is not None
        seats.listen_on(session, offered[0], 29_500)
    page = client.get(f"{API}/jobs/{job.id}/seats", params={"limit": 1}).json()
    rest = client.get(f"{API}/jobs/{job.id}/seats", params={"limit": 1, "cursor": page["next_cursor"]}).json()
    found = [(one["attempt"], one["node_rank"], one["address"], one["port"]) for one in page["items"] + rest["items"]]
    assert found == [(1, 1, "10.0.0.2", None), (1, 0, "10.0.0.1", 29_500)]


def test_a_job_that_needs_more_machines_than_there_are_is_refused(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    two = {"device": "cpu", "num_processes": 2, "num_hosts": 2}
    add_worker("a-1", devices=Devices(8))
    refused = submitted(client, dataset, **two)
    assert pointers(refused) == ["/config/num_hosts"]
    assert "1 live workers alike have what a seat needs (a-1 has 8 CPU cores)" in str(problem(refused, 422)["detail"])
    add_worker("b-2", devices=Devices(8, ("NVIDIA H200",)))
    assert pointers(submitted(client, dataset, **two)) == ["/config/num_hosts"], "these two are not alike"
    add_worker("c-3", devices=Devices(4))
    assert submitted(client, dataset, **two).status_code == 202
    assert pointers(submitted(client, dataset, **two | {"device": "cuda"})) == ["/config/num_hosts"]
    add_worker("d-4", devices=Devices(8, ("NVIDIA H200",)))
    assert submitted(client, dataset, **two | {"device": "cuda"}).status_code == 202, "one GPU for each machine"


def test_machines_share_processes_equally(client: TestClient, rows: Rows) -> None:
    refused = submitted(client, rows.dataset(), device="cpu", num_processes=1, num_hosts=2)
    assert "/config/num_hosts" in pointers(refused)
    assert "2 hosts cannot share 1 processes equally" in str(problem(refused, 422))
