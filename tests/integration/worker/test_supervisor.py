"""Real processes under the supervisor, ending in every way there is."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest
from sqlalchemy import Engine, select, update

from store.bells import Bell
from store.database import reading, writing
from store.models import Dataset, Job, JobAttempt, JobEvent
from tests.support.processes import wait_until
from tests.support.rows import add_dataset, add_job
from worker import programs
from worker.app import work_off
from worker.claiming import take
from worker.folder import WorkerFolder, get_folder
from worker.supervisor import supervise


@pytest.fixture
def folder(home: Path) -> Iterator[WorkerFolder]:
    folder = WorkerFolder(home, "me")
    alive: IO[bytes] = folder.create()
    with alive:
        yield folder


@pytest.fixture
def work(configured: Engine, folder: WorkerFolder, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Claims the one job, and supervises a function of tests/support/program.py in its trainer's
    place."""
    add_job(configured, add_dataset(configured, status="ready"))

    def supervise_program(what: str) -> None:
        lease = take(Job, folder.worker_id)
        assert lease is not None
        monkeypatch.setattr(Job, "program", f"tests.support.program:{what}")
        supervise(lease, folder)
        assert list(folder.path.joinpath("scratch").iterdir()) == []

    return supervise_program


@pytest.fixture
def job(configured: Engine) -> Callable[[], Job]:
    def read() -> Job:
        with reading(configured) as session:
            return session.scalars(select(Job)).one()

    return read


@pytest.fixture
def told(configured: Engine) -> Callable[[str], list[dict[str, object]]]:
    def read(kind: str) -> list[dict[str, object]]:
        with reading(configured) as session:
            found = select(JobEvent.data).where(JobEvent.kind == kind).order_by(JobEvent.id)
            return list(session.scalars(found))

    return read


Work = Callable[[str], None]
ReadJob = Callable[[], Job]
Told = Callable[[str], list[dict[str, object]]]


def while_working(work: Work, what: str, job: ReadJob, act: Callable[[], object]) -> None:
    """Do `act` once the program is at work, and wait for the supervisor."""
    thread = threading.Thread(target=work, args=(what,))
    thread.start()
    try:
        wait_until(lambda: job().epoch == 1, 30, "the program is at work")
        act()
    finally:
        thread.join(30)
    assert not thread.is_alive()


def ask_to_cancel(engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(update(Job).values(status="cancelling"))


def test_a_success_is_left_as_the_process_wrote_it(work: Work, job: ReadJob, told: Told) -> None:
    work("succeed")
    assert (job().status, job().lease_token, job().attempts, job().error) == ("succeeded", None, 1, None)
    assert job().started_at is not None and job().finished_at is not None
    assert told("status") == [{"status": "running", "attempt": 1}, {"status": "succeeded"}]


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("work_failed", "the loss is nan; see place.pt"),
        ("data_error", "DataError: label 9 is outside 0..3"),
        ("value_error", "ValueError: place.pt has the wrong shape"),
    ],
)
def test_what_would_fail_again_fails_at_once(work: Work, job: ReadJob, told: Told, what: str, error: str) -> None:
    work(what)
    assert (job().status, job().error, job().attempts) == ("failed", error, 1)
    assert told("status")[-1] == {"status": "failed", "error": error}


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("os_error", "OSError: [Errno 28] No space left on device: 'place.pt'"),
        ("memory_error", "MemoryError"),
        ("killed", "The process was killed by the system, probably because memory ran out"),
        ("exits", "The process ended with exit code 3"),
    ],
)
def test_what_may_go_better_next_time_is_tried_again_a_limited_number_of_times(
    work: Work, job: ReadJob, told: Told, what: str, reason: str
) -> None:
    work(what)
    assert (job().status, job().error, job().attempts, job().lease_token) == ("queued", None, 1, None)
    assert {"lines": [f"attempt 1 failed: {reason}"]} in told("log")
    work(what)
    assert (job().status, job().attempts) == ("failed", 2)
    assert (
        job().error
        == f"{reason}. It failed 2 times in a row without progress, and will not be started again automatically."
    )
    assert job().finished_at is not None


def test_a_machine_that_can_start_nothing_fails_nothing_and_rests(configured: Engine, home: Path, job: ReadJob) -> None:
    add_job(configured, add_dataset(configured, status="ready"))
    (home / "logs").mkdir()
    (home / "logs" / "jobs").touch()  # where a process would have its log
    get_folder.cache_clear()
    with get_folder().create():
        working = threading.Thread(target=work_off, args=(Bell.TRAIN,))
        working.start()
        wait_until(lambda: job().attempts == 3, 30, "three starts were tried")
        get_folder().stopping = True
        working.join(30)
    get_folder.cache_clear()
    assert not working.is_alive()
    assert (job().status, job().faults, job().error) == ("queued", 0, None)
    with reading(configured) as session:
        rows = session.scalars(select(JobAttempt).order_by(JobAttempt.number)).all()
    assert {row.reason for row in rows} == {"Its process could not be started: File exists"}
    rests = [(later.started_at - row.started_at).total_seconds() for row, later in itertools.pairwise(rows)]
    assert rests[0] >= 1 and rests[1] >= 2


def test_the_last_words_of_a_process_that_died_are_told_without_paths(work: Work, told: Told) -> None:
    work("exits")
    assert {"lines": ["a native library says goodbye in native.so"]} in told("log")


def test_a_cancelled_job_may_write_where_it_stands(work: Work, job: ReadJob, told: Told, configured: Engine) -> None:
    while_working(work, "checkpoint", job, lambda: ask_to_cancel(configured))
    assert (job().status, job().step, job().lease_token) == ("cancelled", 7, None)
    assert told("status")[-1] == {"status": "cancelled"}


def test_a_job_that_does_not_hear_is_killed_after_the_grace_time(work: Work, job: ReadJob, configured: Engine) -> None:
    while_working(work, "deaf", job, lambda: ask_to_cancel(configured))
    assert job().status == "cancelled"


def test_a_stopping_worker_puts_its_work_back_uncounted(work: Work, job: ReadJob, folder: WorkerFolder) -> None:
    while_working(work, "checkpoint", job, lambda: setattr(folder, "stopping", True))
    assert (job().status, job().step, job().attempts, job().error) == ("queued", 7, 0, None)


def test_the_lease_is_renewed_while_the_process_works(work: Work, job: ReadJob, configured: Engine) -> None:
    def watch() -> None:
        first = job().lease_expires_at
        assert first is not None
        wait_until(lambda: (job().lease_expires_at or first) > first, 10, "the lease is renewed")
        ask_to_cancel(configured)

    while_working(work, "wait", job, watch)
    assert job().status == "cancelled"


def test_a_lost_lease_ends_the_process_at_once_and_writes_nothing(work: Work, job: ReadJob, configured: Engine) -> None:
    def lose() -> None:
        with writing(configured) as session:
            session.execute(update(Job).values(lease_token="another's", worker_id="another"))

    before = set(psutil.Process().children(recursive=True))
    while_working(work, "deaf", job, lose)
    assert set(psutil.Process().children(recursive=True)) <= before
    assert (job().status, job().lease_token, job().worker_id) == ("running", "another's", "another")


def test_nothing_that_the_process_started_outlives_it(work: Work, job: ReadJob) -> None:
    work("breed")
    assert not psutil.pid_exists(job().step) or psutil.Process(job().step).status() == psutil.STATUS_ZOMBIE


def fork_server() -> psutil.Process:
    """What programs are forked off, its imports done."""
    programs.wait_until_ready()
    (found,) = (child for child in psutil.Process().children() if "forkserver" in " ".join(child.cmdline()))
    return found


def test_programs_are_forked_off_a_process_that_used_nothing_of_its_imports() -> None:
    server = fork_server()
    assert server.num_threads() == 1
    loaded = {Path(part.path).name for part in server.memory_maps()}
    assert any(name.startswith("libtorch") for name in loaded)
    assert not any(name.startswith("libcuda.so") for name in loaded), "a fork could not use the GPU"


def test_work_survives_the_end_of_what_programs_are_forked_off(work: Work, job: ReadJob) -> None:
    while_working(work, "wait", job, lambda: fork_server().kill())
    assert (job().status, job().faults) == ("queued", 1)
    work("succeed")
    assert job().status == "succeeded"


def test_a_registration_that_fails_leaves_no_files(configured: Engine, folder: WorkerFolder, home: Path) -> None:
    dataset = add_dataset(configured, spec={"source": {"kind": "upload", "upload_id": "of-yesterday"}})
    artifact = home / "artifacts" / dataset.artifact
    artifact.mkdir(parents=True)
    (artifact / "images.npy").write_bytes(b"half of it")
    lease = take(Dataset, folder.worker_id)
    assert lease is not None
    supervise(lease, folder)
    with reading(configured) as session:
        row = session.get_one(Dataset, dataset.id)
    assert row.status == "failed" and row.problem is not None
    assert row.problem["status"] == 422 and "is missing" in row.problem["detail"]
    assert not artifact.exists()


def test_an_attempt_that_another_has_come_after_leaves_no_files(
    configured: Engine, folder: WorkerFolder, home: Path
) -> None:
    dataset = add_dataset(configured)
    late = take(Dataset, folder.worker_id)
    assert late is not None
    others = dataset.folder_of("another")
    with writing(configured) as session:
        session.execute(update(Dataset).values(status="ready", lease_token=None, stored_as=others))
    for key in (others, dataset.folder_of(late.token)):
        (home / "artifacts" / key).mkdir(parents=True)
    supervise(late, folder)
    assert [path.name for path in (home / "artifacts" / dataset.folder).iterdir()] == ["another"]
