"""A real training is mirrored to a real MLflow server and to event files; the webhook hears of it.

Meanwhile the server hangs and the worker is killed.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from store.database import reading, writing
from store.models import Evaluation, JobEvent, Metric, SendingLease, utc_now
from tests.support.mlflow_server import MlflowServer, mlflow_server
from tests.support.processes import wait_until
from tests.support.receiver import Receiver, receiving
from tests.support.runs import CONFIG, DATASET, PATIENCE, Service, engine_of, post, wait_status
from tests.support.stack import Stack, StartStack

SECRET = "0123456789abcdef"


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A server that begins to start: this takes longer than all else."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="module")
def stack(start_module_stack: StartStack, mlflow: MlflowServer, receiver: Receiver, folder: Path) -> Stack:
    return start_module_stack(
        "embedded",
        COLT_MLFLOW_URL=mlflow.url,
        COLT_TENSORBOARD_DIR=str(folder),
        COLT_WEBHOOK_URL=receiver.url,
        COLT_WEBHOOK_SECRET=SECRET,
        COLT_WEBHOOK_ALLOW_PRIVATE="true",
    )


@pytest.fixture(scope="module")
def job_id(stack: Stack, mlflow: MlflowServer) -> str:
    """A job that has succeeded while the server hung, after its worker was killed."""
    dataset_id = post(stack, "datasets", DATASET)
    pool_id = post(stack, "ood-pools", {"name": "glyphs", "source": {"kind": "sample", "name": "glyphs-and-patches"}})
    for path in (f"datasets/{dataset_id}", f"ood-pools/{pool_id}"):
        assert wait_status(stack, path, "ready", "failed")["status"] == "ready"
    service = Service(stack, dataset_id, pool_id, CONFIG | {"epochs": 30}, {})
    mlflow.wait()
    job_id = service.submit()
    wait_until(lambda: len(points_of(mlflow, job_id, "loss")) > 0, PATIENCE, "points come while the job trains")
    mlflow.send(signal.SIGSTOP)
    trainer = service.wait_training(job_id)
    worker = service.worker_of(trainer)
    worker.kill()
    worker.start()
    assert service.wait_status(job_id, "succeeded", "failed")["status"] == "succeeded"
    mlflow.send(signal.SIGCONT)
    with engine_of(stack) as engine, writing(engine) as session:  # that of the killed worker
        session.execute(update(SendingLease).values(expires_at=utc_now()))
    wait_until(lambda: run_of(mlflow, job_id)["info"]["status"] == "FINISHED", PATIENCE, "the run has ended", every=0.5)
    return job_id


def run_of(mlflow: MlflowServer, job_id: str) -> dict[str, Any]:
    (run,) = mlflow.runs_of(job_id)
    return run


def points_of(mlflow: MlflowServer, job_id: str, metric: str) -> list[tuple[int, float]]:
    runs = mlflow.runs_of(job_id)
    assert len(runs) <= 1
    return [point for run in runs for point in mlflow.history(run["info"]["run_id"], metric)]


@pytest.fixture
def engine(stack: Stack) -> Iterator[Engine]:
    with engine_of(stack) as engine:
        yield engine


def curves(engine: Engine, job_id: str) -> dict[str, list[tuple[int, float]]]:
    """The points in the database."""
    found: dict[str, list[tuple[int, float]]] = {}
    with reading(engine) as session:
        mine = select(Metric.name, Metric.step, Metric.value).where(Metric.job_id == job_id)
        for name, step, value in session.execute(mine.order_by(Metric.name, Metric.step)):
            found.setdefault(name, []).append((step, value))
    return found


def test_mlflow_has_each_point_once(mlflow: MlflowServer, engine: Engine, job_id: str) -> None:
    recorded = curves(engine, job_id)
    assert {"loss", "epoch_loss", "learning_rate"} <= recorded.keys()
    for name, points in recorded.items():
        there = sorted(points_of(mlflow, job_id, name))
        assert [step for step, _ in there] == [step for step, _ in points], name
        if not name.endswith("_seconds"):  # a resumed run takes other times
            assert there == points, name
    with reading(engine) as session:
        rounds = session.scalars(select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.kind == "round")).all()
    steps = sorted((event.data["step"], float(event.data["num_selected"])) for event in rounds)
    assert sorted(points_of(mlflow, job_id, "round/num_selected")) == steps and len(steps) > 2


def test_mlflow_has_the_settings_the_accuracies_and_the_documents(
    stack: Stack, mlflow: MlflowServer, engine: Engine, job_id: str
) -> None:
    run = run_of(mlflow, job_id)
    job = stack.client.get(f"/api/v1/jobs/{job_id}").json()
    params = {entry["key"]: entry["value"] for entry in run["data"]["params"]}
    assert params["epochs"] == "30" and params["framework"] == job["config"]["framework"]
    tags = {entry["key"]: entry["value"] for entry in run["data"]["tags"]}
    assert tags["colt.job_id"] == job_id and tags["colt.dataset"] == DATASET["name"]
    assert tags["colt.job_name"] == job["name"] == run["info"]["run_name"]
    with reading(engine) as session:
        row = session.scalars(select(Evaluation).where(Evaluation.job_id == job_id)).one()
    metrics = {entry["key"]: (entry["step"], entry["value"]) for entry in run["data"]["metrics"]}
    assert metrics["knn/all"] == (30, row.accuracy)
    groups = row.group_accuracy or {}
    for group in ("many", "medium", "few"):
        expected = None if groups.get(group) is None else (30, groups[group])
        assert metrics.get(f"knn/{group}") == expected
    assert row.per_class_accuracy is not None
    of_classes = [metrics[f"knn/class/{number}"][1] for number in range(10)]
    assert of_classes == row.per_class_accuracy
    found = mlflow.get("artifacts/list", run_id=run["info"]["run_id"])["files"]
    assert {entry["path"] for entry in found} == {"config.json", "evaluations"}
    found = mlflow.get("artifacts/list", run_id=run["info"]["run_id"], path="evaluations")["files"]
    assert [entry["path"] for entry in found] == [f"evaluations/epoch-30-knn-{row.id}.json"]


def test_the_event_file_has_each_point_once(folder: Path, engine: Engine, job_id: str) -> None:
    def events() -> EventAccumulator:
        (run,) = folder.iterdir()
        found = EventAccumulator(str(run), size_guidance={"scalars": 0})
        found.Reload()
        return found

    wait_until(lambda: "knn/all" in events().Tags()["scalars"], PATIENCE, "the accuracy is in the file", every=0.5)
    found = events()
    for name, points in curves(engine, job_id).items():
        there = [(event.step, event.value) for event in found.Scalars(name)]
        assert [step for step, _ in there] == [step for step, _ in points], name
        if not name.endswith("_seconds"):
            assert there == [(step, pytest.approx(value, rel=1e-6)) for step, value in points], name


def test_the_webhook_was_told(receiver: Receiver, stack: Stack, job_id: str) -> None:
    wait_until(lambda: bool(receiver.got), PATIENCE, "the webhook hears of it")
    assert {got.told["id"] for got in receiver.got} == {job_id}
    assert {got.told["event"] for got in receiver.got} == {"job.succeeded"}
    assert len(Counter(got.headers["Colt-Delivery"] for got in receiver.got)) == 1
    for process in stack.processes:
        assert SECRET not in process.output()
