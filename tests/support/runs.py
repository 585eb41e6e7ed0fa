"""Small real jobs on a running stack, and everything that one of them left in the database."""

from __future__ import annotations

import fcntl
import hashlib
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from sqlalchemy import Engine, select

from colt_core.config import PretrainConfig
from colt_core.training.checkpoint import load_checkpoint
from store.database import build_engine, reading
from store.models import Checkpoint, Evaluation, Job, JobEvent, Metric, RoundScores, SamplingRound, TailnessEpoch
from tests.support.processes import Process, marked, wait_until
from tests.support.stack import Stack

EPOCHS = 12
CONFIG = {
    "preset": "digits",
    "width": 8,
    "batch_size": 32,
    "epochs": EPOCHS,
    "warmup_epochs": 3,
    "sample_interval": 3,
    "sample_budget": 60,
    "checkpoint_interval": 1,
    "seed": 3,
}
DATASET = {
    "name": "digits-lt",
    "source": {"kind": "sample", "name": "digits"},
    "long_tail": {"profile": "exp", "imbalance_ratio": 10, "max_per_class": 30},
}
ALL_PROBES = ["knn", "linear"]  # the second takes a second or two, mostly to import its library
PATIENCE = 240.0


@dataclass
class Service:
    """A stack with a data set and a pool, and what an undisturbed run on them leaves."""

    stack: Stack
    dataset_id: str
    ood_pool_id: str
    config: dict[str, Any]
    undisturbed: dict[str, Any]  # what `recorded` gives of such a run

    def submit(self, evaluations: Sequence[str] = ALL_PROBES[:1], **config: Any) -> str:
        return submit(self.stack, self.dataset_id, self.ood_pool_id, self.config | config, evaluations)

    def train_undisturbed(self) -> str:
        """The id of a job that has succeeded, with every probe."""
        job_id = self.submit(ALL_PROBES)
        job = self.wait_status(job_id, "succeeded", "failed", "cancelled")
        assert job["status"] == "succeeded", job
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.stack.client.get(f"/api/v1/jobs/{job_id}")
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def assert_attempts(self, job_id: str, count: int) -> None:
        """The job began so often. A failure names what ended each attempt."""
        answer = self.stack.client.get(f"/api/v1/jobs/{job_id}/attempts")
        answer.raise_for_status()
        assert self.job(job_id)["attempts"] == count, answer.json()

    def wait_status(self, job_id: str, *statuses: str) -> dict[str, Any]:
        return wait_status(self.stack, f"jobs/{job_id}", *statuses)

    def wait_training(self, job_id: str) -> psutil.Process:
        """Wait until a few epochs are done and more are to come.

        Returns:
            The trainer's process.
        """
        wait_until(lambda: self.job(job_id)["progress"]["epoch"] >= 2, PATIENCE, f"job {job_id} trains")
        trainer = self.process_of(job_id)
        assert trainer is not None, f"the training was too quick to be disturbed: {self.job(job_id)}"
        return trainer

    def further(self, job_id: str) -> Callable[[], psutil.Process]:
        """Waits until the job has trained further than the last time, and has a checkpoint to
        resume from.

        It returns the trainer's process.
        """
        epoch, step = 1, 0

        def far() -> tuple[int, int]:
            job = self.job(job_id)
            assert job["status"] != "succeeded", f"the training was too quick to be disturbed: {job}"
            return job["progress"]["epoch"], job["progress"]["step"]

        def further() -> bool:  # an attempt that was stopped at the end of an epoch ends that one without a step
            return all(now > before for now, before in zip(far(), (epoch, step), strict=True))

        def wait() -> psutil.Process:
            nonlocal epoch, step
            wait_until(lambda: self.process_of(job_id) is not None, PATIENCE, f"job {job_id} is worked on")
            # Until it begins, the job shows how far an earlier attempt came.
            epoch, step = map(max, (epoch, step), far())
            wait_until(further, PATIENCE, f"job {job_id} trains beyond epoch {epoch}")
            trainer = self.process_of(job_id)
            assert trainer is not None, f"the training was too quick to be disturbed: {self.job(job_id)}"
            return trainer

        return wait

    def process_of(self, row_id: str) -> psutil.Process | None:
        """The process that works on a job or a registration at the moment."""
        return next((process for process, line in working(self.stack) if line[-1:] == [row_id]), None)

    def worker_of(self, process: psutil.Process) -> Process:
        """The worker that a working process belongs to."""
        ancestors = {ancestor.pid for ancestor in process.parents()}
        return next(worker for worker in self.stack.workers if worker.running and worker.pid in ancestors)

    def assert_as_undisturbed(self, job_id: str) -> None:
        """The job ended, and all that it recorded is what the undisturbed run recorded, bit for
        bit."""
        job = self.wait_status(job_id, "succeeded", "failed", "cancelled")
        assert job["status"] == "succeeded", job
        assert_equal(recorded(self.stack, job_id), _with_probes(self.undisturbed, job["evaluations"]))
        steps = told_losses(self.stack, job_id)
        assert steps == sorted(set(steps)), f"losses are recorded twice, or not in order: {steps}"


def working(stack: Stack) -> Iterator[tuple[psutil.Process, list[str]]]:
    """Every living process of the stack, with the words of its command line."""
    for process in marked(stack.mark):
        with suppress(psutil.Error):  # it may end while it is looked at
            yield process, " ".join(process.cmdline()).split()  # a title is one argument


@contextmanager
def engine_of(stack: Stack) -> Iterator[Engine]:
    """The stack's own database."""
    url = stack.env.get("COLT_DATABASE_URL") or f"sqlite:///{stack.home / 'colt.db'}"
    engine = build_engine(url)
    yield engine
    engine.dispose()


def begin(stack: Stack, **changed: Any) -> Service:
    """Register the samples, and know the record of an undisturbed run; `changed` of CONFIG."""
    config = CONFIG | changed
    dataset_id = post(stack, "datasets", DATASET)
    pool_id = post(stack, "ood-pools", {"name": "glyphs", "source": {"kind": "sample", "name": "glyphs-and-patches"}})
    for path in (f"datasets/{dataset_id}", f"ood-pools/{pool_id}"):
        assert wait_status(stack, path, "ready", "failed")["status"] == "ready"
    service = Service(stack, dataset_id, pool_id, config, {})
    service.undisturbed = _undisturbed(service)
    assert len(service.undisturbed["tailness"]) == config["epochs"]
    assert len(service.undisturbed["rounds"]) == len(PretrainConfig.resolve(config).round_epochs()) >= 3
    return service


def _undisturbed(service: Service) -> dict[str, Any]:
    """The record of an undisturbed run.

    A run is a function of its settings and data. So one run serves all pytest processes of a
    session, for each pair of back ends.
    """
    stack = service.stack
    shared = next((folder.parent for folder in stack.folder.parents if folder.name.startswith("popen-")), None)
    if shared is None:  # one process alone
        return recorded(stack, service.train_undisturbed())
    pair = "distributed" if "COLT_DATABASE_URL" in stack.env else "embedded"
    digest = hashlib.sha256(repr(sorted(service.config.items())).encode()).hexdigest()
    path = shared / f"undisturbed-{pair}-{digest[:16]}"
    with path.with_suffix(".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            path.write_bytes(pickle.dumps(recorded(stack, service.train_undisturbed())))
        record: dict[str, Any] = pickle.loads(path.read_bytes())
    return record


def _with_probes(record: dict[str, Any], kinds: list[str]) -> dict[str, Any]:
    """What `recorded` gives of the same run with only these probes."""
    return record | {
        "evaluations": [row for row in record["evaluations"] if row[0] in kinds],
        "events": [(kind, data) for kind, data in record["events"] if kind != "evaluation" or data["kind"] in kinds],
    }


def submit(
    stack: Stack, dataset_id: str, pool_id: str, config: dict[str, Any], evaluations: Sequence[str] = ALL_PROBES[:1]
) -> str:
    wanted = {"dataset_id": dataset_id, "ood_pool_id": pool_id, "config": config, "evaluations": list(evaluations)}
    return post(stack, "jobs", wanted)


def post(stack: Stack, path: str, body: dict[str, Any]) -> str:
    answer = stack.client.post(f"/api/v1/{path}", json=body)
    assert answer.status_code == 202, answer.text
    row_id: str = answer.json()["id"]
    return row_id


def wait_status(stack: Stack, path: str, *statuses: str) -> dict[str, Any]:
    last: dict[str, Any] = {}

    def reached() -> bool:
        nonlocal last
        answer = stack.client.get(f"/api/v1/{path}")
        answer.raise_for_status()
        last = answer.json()
        return last["status"] in statuses

    try:
        wait_until(reached, PATIENCE, f"{path} is {' or '.join(statuses)}", every=0.2)
    except TimeoutError as error:
        raise TimeoutError(f"{error}; it is {last}") from error
    return last


def recorded(stack: Stack, job_id: str) -> dict[str, Any]:
    """All that a job recorded, but for names and clocks."""
    artifacts = Path(stack.env.get("COLT_ARTIFACTS_URL") or stack.home / "artifacts")
    with engine_of(stack) as engine, reading(engine) as session:
        job = session.get_one(Job, job_id)
        metrics = session.execute(
            select(Metric.name, Metric.step, Metric.value)
            .where(Metric.job_id == job_id)
            .order_by(Metric.name, Metric.step)
        )
        tailness = session.scalars(
            select(TailnessEpoch).where(TailnessEpoch.job_id == job_id).order_by(TailnessEpoch.epoch)
        )
        rounds = session.scalars(
            select(SamplingRound).where(SamplingRound.job_id == job_id).order_by(SamplingRound.round)
        )
        scores_of = {
            row.round: (row.images, row.bytes, row.sha256, row.picks)
            for row in session.scalars(select(RoundScores).where(RoundScores.job_id == job_id))
        }
        evaluations = session.scalars(select(Evaluation).where(Evaluation.job_id == job_id).order_by(Evaluation.kind))
        told = session.execute(
            select(JobEvent.kind, JobEvent.data)
            .where(JobEvent.job_id == job_id, JobEvent.kind.in_(("round", "evaluation")))
            .order_by(JobEvent.id)
        )
        last = session.scalars(
            select(Checkpoint).where(Checkpoint.job_id == job_id).order_by(Checkpoint.step.desc()).limit(1)
        ).one()
        return {
            "job": (job.epoch, job.step, job.steps, job.loss, job.accuracy, job.error),
            # No run takes the same seconds again, but each has as many points of them.
            "metrics": [row[:2] if row.name.endswith("_seconds") else tuple(row) for row in metrics],
            "tailness": [(row.epoch, row.class_means, row.scores) for row in tailness],
            "rounds": [
                (
                    *(row.round, row.epoch, row.step, row.clusters, row.num_selected, row.overlap),
                    *(row.id_cluster, *scores_of.get(row.round, ())),
                    *(row.stop, row.nearest, row.nearest_similarity),
                )
                for row in rounds
            ],
            "evaluations": [
                (row.kind, row.status, row.epoch, row.accuracy, row.per_class_accuracy, row.group_accuracy)
                for row in evaluations
            ],
            "events": [
                (kind, {name: value for name, value in data.items() if name not in {"seconds", "id", "checkpoint_id"}})
                for kind, data in told
            ],
            "checkpoint": (last.epoch, last.step, *state_digests(artifacts / last.artifact / "checkpoint.pt")),
        }


def told_losses(stack: Stack, job_id: str) -> list[int]:
    """The steps whose loss its events tell, in their order. (What an epoch adds may follow under
    the same step.)"""
    with engine_of(stack) as engine, reading(engine) as session:
        told = select(JobEvent.data).where(JobEvent.job_id == job_id, JobEvent.kind == "metric").order_by(JobEvent.id)
        return [data["step"] for data in session.scalars(told) if "loss" in data["values"]]


def state_digests(path: Path) -> list[tuple[str, str]]:
    """A digest of each value of a checkpoint: weights, momenta, tailness, chosen images."""
    return values_of(load_checkpoint(path))


def values_of(state: dict[str, Any]) -> list[tuple[str, str]]:
    """The same, of a state in memory."""

    def walk(name: str, value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, torch.Tensor):
            yield name, hashlib.sha256(value.numpy().tobytes()).hexdigest()
        elif isinstance(value, dict):
            for key in value:
                yield from walk(f"{name}/{key}", value[key])
        elif isinstance(value, list | tuple):
            for number, item in enumerate(value):
                yield from walk(f"{name}/{number}", item)
        else:
            yield name, repr(value)

    return list(walk("", state))


def assert_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Equal, or the first difference, in few words: arrays are long."""
    for name in expected:
        if found[name] != expected[name]:
            pairs = zip(found[name], expected[name], strict=False)
            first = next(((str(a)[:300], str(b)[:300]) for a, b in pairs if a != b), "one is longer")
            raise AssertionError(
                f"{name}: {len(found[name])} and {len(expected[name])} long, first difference: {first}"
            )
