"""The client against the real API, over a real socket."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

import api.queues
from colt_client import AsyncClient, Busy, Client, ConnectionLost, Invalid, NotFound, to_pandas
from colt_client._sync import uploads
from colt_client.requests import PartialConfig
from colt_client.sources import source_of
from store.database import get_engine
from tests.support.processes import wait_until
from tests.support.results import Rows
from tests.support.settings import forget_settings
from tests.unit.api.conftest import app, database_url, home, rows, server

__all__ = ["app", "database_url", "home", "rows", "server"]


@pytest.fixture
def client(server: httpx.Client) -> Iterator[Client]:
    with Client(str(server.base_url), retry_seconds=5) as client:
        yield client


def folder(root: Path) -> Path:
    (root / "cats" / "big").mkdir(parents=True)
    (root / "cats" / "a.png").write_bytes(b"a" * 700)
    (root / "cats" / "big" / "é.png").write_bytes(b"b" * 512)
    (root / ".hidden").write_bytes(b"c")
    return root


def test_a_folder_arrives_as_a_tar_and_progress_ends_at_all_bytes(client: Client, home: Path, tmp_path: Path) -> None:
    told: list[tuple[float, float | None]] = []
    sent = client.uploads.send(folder(tmp_path / "pets"), progress=lambda done, total: told.append((done, total)))
    assert sent.filename == "pets.tar"
    assert told[-1] == (sent.bytes, sent.bytes)
    (stored,) = home.rglob("pets.tar")
    with tarfile.open(stored) as archive:
        assert {member.name: member.size for member in archive} == {"cats/a.png": 700, "cats/big/é.png": 512}
    assert [upload.id for upload in client.uploads.list()] == [sent.id]


def test_a_file_that_changes_while_it_is_sent_is_refused(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"1234")
    source = source_of(path)
    path.write_bytes(b"12345")
    with pytest.raises(ValueError, match="changed while it was sent"):
        list(source.blocks())
    with pytest.raises(ValueError, match="no file or folder"):
        client.datasets.register(tmp_path / "nothing")


def test_wrong_values_are_named_by_pointer_and_nothing_is_found_under_no_id(client: Client, rows: Rows) -> None:
    with pytest.raises(Invalid, match=r"/config/epochs: ") as refused:
        client.jobs.submit(rows.dataset().id, config={"epochs": 0})
    assert [problem.pointer for problem in refused.value.errors] == ["/config/epochs"]
    with pytest.raises(NotFound, match="no job"):
        client.jobs.get("none")
    with pytest.raises(Busy, match="Missing") as missing:  # no worker
        client.check_ready()
    assert missing.value.retry_after == 2


def test_lists_go_over_their_pages_in_both_worlds(client: Client, rows: Rows) -> None:
    data = rows.dataset()
    made = {rows.job(data).id for _ in range(201)}  # one more than a page
    assert {job.id for job in client.jobs.list()} == made

    async def ids() -> set[str]:
        async with AsyncClient(client.url) as other:
            return {job.id async for job in other.jobs.list()}

    assert asyncio.run(ids()) == made


def test_curves_become_a_frame(client: Client, rows: Rows) -> None:
    job = rows.job(rows.dataset())
    rows.metric(job, "loss", [3.0, 2.0])
    curves = client.jobs.get(job.id).metrics("loss")
    assert curves.to_pandas()["value"].tolist() == [3.0, 2.0]
    assert to_pandas(item.info for item in client.jobs.list())["id"].tolist() == [job.id]


def statuses(client: Client) -> list[int]:
    """Those of all answers from now on."""
    told: list[int] = []
    client._transport._http.event_hooks["response"].append(lambda response: told.append(response.status_code))
    return told


def test_a_backbone_is_asked_for_on_a_data_set(client: Client, rows: Rows, tmp_path: Path) -> None:
    dataset = rows.dataset()
    (tmp_path / "r18.safetensors").write_bytes(b"weights")
    registered = client.backbones.register(tmp_path / "r18.safetensors", backbone="resnet18", progress=False)
    assert (registered.name, registered.status) == ("r18", "registering")
    backbone = client.backbones.get(rows.backbone().id)
    assert [item.id for item in client.backbones.list(status="ready")] == [backbone.id]
    evaluation = backbone.evaluate(dataset.id, "knn", neighbors=3)
    assert (evaluation.info.backbone_id, evaluation.info.config["neighbors"]) == (backbone.id, 3)
    assert [item.id for item in backbone.evaluations()] == [evaluation.id]
    analysis = backbone.analyse(client.datasets.get(dataset.id), "alignment", num_pairs=2)
    assert (analysis.info.backbone_id, analysis.info.job_id) == (backbone.id, None)
    assert analysis.info.assumed is not None and analysis.info.assumed["flip_probability"] == 0.5
    assert [item.id for item in backbone.analyses(kind="alignment")] == [analysis.id]
    with pytest.raises(Invalid, match="only a run has"):
        backbone.analyse(dataset.id, "tail_share")


CONFIG: PartialConfig = {"sampler": "none", "batch_size": 4}


def test_a_submission_that_is_put_off_is_sent_again_when_the_server_says(
    client: Client, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429: the queue is full until another job leaves it."""
    monkeypatch.setenv("COLT_MAX_QUEUED", "1")
    forget_settings()
    first = rows.job(rows.dataset(image_size=32), status="queued")
    with pytest.raises(Busy, match="wait in the queue") as refused:
        client.jobs.submit(first.dataset_id, config=CONFIG)
    assert refused.value.status == 429 and refused.value.retry_after == 60, "longer than the client's patience"
    assert [job.id for job in client.jobs.list()] == [first.id]

    monkeypatch.setattr(api.queues, "_WAIT_SECONDS", 1)
    with ThreadPoolExecutor() as pool, Client(client.url) as other:
        told = statuses(client)
        submitting = pool.submit(client.jobs.submit, first.dataset_id, config=CONFIG)
        wait_until(lambda: 429 in told, 20, "it is refused")
        other.jobs.get(first.id).cancel()
        second = submitting.result(20)
        assert {job.id for job in other.jobs.list()} == {first.id, second.id}


def test_a_submission_is_sent_again_after_the_database_was_locked(
    server: httpx.Client, rows: Rows, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503: the answer cannot say whether the job was stored."""
    monkeypatch.setenv("COLT_LOCK_TIMEOUT_SECONDS", "0.5")
    forget_settings()
    data = rows.dataset(image_size=32)
    database = make_url(get_engine().url).database
    assert database is not None
    with Client(str(server.base_url), retry_seconds=30) as client, ThreadPoolExecutor() as pool:
        told = statuses(client)
        with closing(sqlite3.connect(database)) as other:
            other.execute("BEGIN IMMEDIATE")
            submitting = pool.submit(client.jobs.submit, data.id, config=CONFIG)
            wait_until(lambda: 503 in told, 30, "it is refused")
            other.rollback()
        job = submitting.result(30)
        assert 202 in told
        assert [found.id for found in client.jobs.list()] == [job.id]


class Breaking:
    """Passes each request on to the service, and drops the answers to the first ones."""

    def __init__(self, to: httpx.URL, dropped: int) -> None:
        self._to, self._left = (to.host, to.port), dropped
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                asked = connection.recv(2**16)
                if not asked:
                    return
                head, _, body = asked.partition(b"\r\n\r\n")
                length = next(
                    (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), b":0"
                )
                while len(body) < int(length.partition(b":")[2]):
                    body += connection.recv(2**16)
                self.requests += 1
                with socket.create_connection(self._to) as service:
                    service.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
                    answer = b"".join(iter(lambda service=service: service.recv(2**16), b""))
                self._left -= 1
                connection.sendall(answer if self._left < 0 else answer[:40])

    def close(self) -> None:
        with socket.create_connection(self._listener.getsockname()):
            pass
        self._thread.join()
        self._listener.close()


@pytest.fixture
def breaking(server: httpx.Client) -> Iterator[Breaking]:
    proxy = Breaking(server.base_url, dropped=1)
    yield proxy
    proxy.close()


def test_a_job_whose_answer_is_lost_is_submitted_once(breaking: Breaking, client: Client, rows: Rows) -> None:
    with Client(breaking.url) as other:
        job = other.jobs.submit(rows.dataset(image_size=32).id, config={"sampler": "none", "batch_size": 4})
    assert [found.id for found in client.jobs.list()] == [job.id]
    assert breaking.requests == 3


def test_a_registration_whose_answer_is_lost_is_not_repeated(breaking: Breaking, client: Client) -> None:
    source = {"kind": "sample", "name": "digits"}
    with Client(breaking.url) as other, pytest.raises(ConnectionLost, match="look before you repeat it"):
        other.datasets.register(source, image_size=32)
    assert [found.name for found in client.datasets.list()] == ["digits"]
    assert breaking.requests == 1


def test_a_source_goes_on_from_any_byte(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(bytes(range(256)) * 3)
    for source in (source_of(folder(tmp_path / "pets")), source_of(file)):
        whole = b"".join(source.blocks())
        for start in (0, 1, 511, 512, 700, len(whole)):
            assert b"".join(source.blocks(start)) == whole[start:]


def test_a_large_upload_that_another_program_began_is_continued(
    client: Client, server: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "RESUMABLE_BYTES", 500)
    path = tmp_path / "a.zip"
    path.write_bytes(bytes(range(256)) * 3)
    begun = server.post("/api/v1/resumable-uploads", json={"filename": "a.zip", "bytes": 768}).json()
    address = f"/api/v1/resumable-uploads/{begun['id']}"
    server.patch(address, content=path.read_bytes()[:300], headers={"Upload-Offset": "0"})
    told: list[float] = []
    sent = client.uploads.resume(begun["id"], path, progress=lambda done, _: told.append(done))
    assert (sent.id, sent.bytes, told) == (begun["id"], 768, [768])
    assert client.uploads.send(path).sha256 == sent.sha256
    other = server.post("/api/v1/resumable-uploads", json={"filename": "a.zip", "bytes": 768}).json()
    server.patch(f"/api/v1/resumable-uploads/{other['id']}", content=bytes(300), headers={"Upload-Offset": "0"})
    with pytest.raises(ValueError, match="changed"):
        client.uploads.resume(other["id"], path)
    with pytest.raises(NotFound):
        client.uploads.get(other["id"])
