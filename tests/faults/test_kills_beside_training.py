"""An evaluation and an analysis that were asked for, and an upload: killed, they end as if nothing
had happened."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.support.files import matching
from tests.support.leftovers import artifacts_folder, assert_nothing_left
from tests.support.processes import wait_until
from tests.support.runs import PATIENCE, Service, wait_status

ANNOUNCED, SENT = 8 * 2**20, 3 * 2**20  # bytes of an upload


@pytest.mark.parametrize("shared_service", ["distributed"], indirect=True)
def test_killing_an_evaluation_and_an_analysis(service: Service) -> None:
    """The one alone, the other with its worker; the same of an equal job is left undisturbed."""
    disturbed, other = (service.submit() for _ in range(2))
    for job_id in (disturbed, other):
        service.assert_as_undisturbed(job_id)
    for table, body in (("evaluations", {"kind": "linear", "seed": 1}), ("analyses", {"kind": "alignment"})):
        row_id = _ask(service, disturbed, table, body)
        _kill(service, row_id, worker_too=table == "analyses")
        found = _result(service, disturbed, table, row_id)
        assert found == _result(service, other, table, _ask(service, other, table, body))
    assert_nothing_left(service)


def _ask(service: Service, job_id: str, table: str, body: dict[str, Any]) -> str:
    answer = service.stack.client.post(f"/api/v1/jobs/{job_id}/{table}", json=body)
    assert answer.status_code == 202, answer.text
    row_id: str = answer.json()["id"]
    return row_id


def _kill(service: Service, row_id: str, *, worker_too: bool) -> None:
    wait_until(lambda: service.process_of(row_id) is not None, PATIENCE, "work on it has begun")
    process = service.process_of(row_id)
    assert process is not None
    if worker_too:
        worker = service.worker_of(process)
        worker.kill()
        worker.start()
    else:
        process.kill()
    process.wait(5)


def _result(service: Service, job_id: str, table: str, row_id: str) -> dict[str, Any]:
    """What was found, without names and clocks."""

    def mine() -> dict[str, Any]:
        items = service.stack.client.get(f"/api/v1/jobs/{job_id}/{table}").json()["items"]
        return next(item for item in items if item["id"] == row_id)

    wait_until(lambda: mine()["status"] in ("succeeded", "failed"), PATIENCE, f"{table} ends")
    found = mine()
    assert found["status"] == "succeeded", found
    if table == "analyses":
        found = wait_status(service.stack, f"analyses/{row_id}", "succeeded")
    return {name: value for name, value in found.items() if not name.endswith(("id", "_at"))}


def test_killing_the_api_in_an_upload(service: Service) -> None:
    uploads = artifacts_folder(service) / "uploads"
    head = f"POST /api/v1/uploads?filename=a.npy HTTP/1.1\r\nHost: localhost\r\nContent-Length: {ANNOUNCED}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.stack.port), 30) as connection:
        connection.sendall(head.encode() + bytes(SENT))
        wait_until(lambda: bool(matching(uploads, "**/*.partial")), PATIENCE, "a part is written")
        service.stack.api.kill()
    service.stack.api.start()
    service.stack.wait_ready()
    assert_nothing_left(service)
