"""SIGKILL at a random moment of a job, and bringing back what was killed, as the operator of the
service would."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from colt_core.config import PretrainConfig
from store.database import reading
from store.models import Checkpoint, Dataset, Job, SamplingRound
from tests.support.files import matching
from tests.support.leftovers import artifacts_folder
from tests.support.processes import marked
from tests.support.runs import DATASET, PATIENCE, Service, engine_of, post
from tests.support.servers import Postgres, Redis

MOMENTS = ("registration", "epoch", "checkpoint", "round", "evaluation")
TARGETS = {
    "distributed": ("api", "worker", "trainer", "redis", "postgres", "service"),
    "embedded": ("api", "worker", "trainer", "service"),
}
LONGEST_ABSENCE = 1.5  # seconds until what was killed is started again


@dataclass(frozen=True)
class Kill:
    """What was killed, and when. `hit` says whether the moment still lasted."""

    target: str
    moment: str
    hit: bool


class Killer:
    """Kills parts of a service, which may stand on these servers."""

    def __init__(self, service: Service, rng: random.Random, postgres: Postgres | None, redis: Redis | None) -> None:
        self._service = service
        self._stack = service.stack
        self._rng = rng
        self._postgres = postgres
        self._redis = redis
        self._round_epochs = PretrainConfig.resolve(service.config).round_epochs()
        self._epoch = 0  # of the last checkpoint when something was last killed

    def kill_registering(self, target: str) -> tuple[Kill, str]:
        """Register a data set, and kill while it is read. Returns its id too."""
        dataset_id = post(self._stack, "datasets", DATASET)
        self._watch(lambda _: self._service.process_of(dataset_id) is not None)
        time.sleep(self._rng.uniform(0, 2))
        with engine_of(self._stack) as engine, reading(engine) as session:
            hit = session.get_one(Dataset, dataset_id).status == "registering"
        self._strike(target, dataset_id)
        return Kill(target, "registration", hit), dataset_id

    def kill_training(self, target: str, moment: str, job_id: str) -> Kill:
        """Kill at such a moment of the job, once it has got further since the last time.

        Otherwise its starts would rightly count as fruitless.
        """

        def last_epoch(session: Session) -> int:
            return session.scalar(select(func.max(Checkpoint.epoch)).where(Checkpoint.job_id == job_id)) or 0

        def in_round(session: Session) -> bool:
            job = session.get_one(Job, job_id)
            rounds = session.scalar(select(func.count()).where(SamplingRound.job_id == job_id)) or 0
            return job.epoch + 1 in self._round_epochs and rounds == self._round_epochs.index(job.epoch + 1)

        def over(session: Session) -> bool:
            return session.get_one(Job, job_id).status not in {"queued", "running"}

        wanted: Callable[[Session], bool] = {
            "epoch": lambda session: last_epoch(session) > self._epoch,
            "checkpoint": lambda session: last_epoch(session) > self._epoch,
            "round": lambda session: last_epoch(session) > self._epoch and in_round(session),
            "evaluation": lambda session: last_epoch(session) == self._service.config["epochs"],
        }[moment]
        self._watch(lambda session: wanted(session) or over(session))
        hit = self._wait_within(moment, job_id)
        with engine_of(self._stack) as engine, reading(engine) as session:
            hit = hit and not over(session) and (moment != "round" or in_round(session))
            self._epoch = last_epoch(session)
        self._strike(target, job_id)
        return Kill(target, moment, hit)

    def _wait_within(self, moment: str, job_id: str) -> bool:
        """Wait for a random part of the moment; of a write, until it is under way. Returns whether
        it came."""
        if moment != "checkpoint":
            time.sleep(self._rng.uniform(0, {"epoch": 0.5, "round": 0.2, "evaluation": 1.0}[moment]))
            return True
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self._half_written(job_id):
                return True
        return False

    def _half_written(self, job_id: str) -> list[Path]:
        return matching(artifacts_folder(self._service) / "jobs" / job_id / "checkpoints", "*/*.partial")

    def _watch(self, condition: Callable[[Session], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        with engine_of(self._stack) as engine:
            while not _holds(engine, condition):
                assert time.monotonic() < deadline, "the moment does not come"
                time.sleep(0.005)

    def _strike(self, target: str, row_id: str) -> None:
        process = self._service.process_of(row_id) if target in {"worker", "trainer"} else None
        match target:
            case "api":
                self._stack.api.kill()
            case "trainer":
                _kill([process] if process else [])
            case "worker":
                worker = self._service.worker_of(process) if process else self._rng.choice(self._stack.workers)
                worker.kill()
            case "redis":
                assert self._redis is not None
                self._redis.stop()
            case "postgres":
                assert self._postgres is not None
                self._postgres.kill()
            case "service":
                self._kill_everything()
        time.sleep(self._rng.uniform(0, LONGEST_ABSENCE))
        if target in {"postgres", "service"} and self._postgres is not None:
            self._postgres.start()
        if target in {"redis", "service"} and self._redis is not None:
            self._redis.start()
        for program in self._stack.processes:
            if not program.running:
                program.start()
        self._stack.wait_ready()

    def _kill_everything(self) -> None:
        for server in (self._postgres, self._redis):
            if isinstance(server, Postgres):
                server.kill()
            elif server is not None:
                server.stop()
        _kill(list(marked(self._stack.mark)))
        for program in self._stack.processes:
            program.wait(30)


def _holds(engine: Engine, condition: Callable[[Session], bool]) -> bool:
    with reading(engine) as session:
        return condition(session)


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
