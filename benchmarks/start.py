"""How long the service takes to begin, with real processes on SQLite and files:  python -m benchmarks.start

The API: from the start of `python -m api` until it answers, and until `/readyz` says that it can work. A job: from its
claim by a worker to the end of its first optimiser step, on a registered data set and pool of noise. Its
first epoch is one step, so that the step is recorded at once; a sampling round and a second epoch follow.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import select

from benchmarks.report import Report
from store.database import build_engine, reading
from store.models import Job, JobEvent

API_GOAL_SECONDS, JOB_GOAL_SECONDS = 2.0, 5.0
_CLASSES, _TRAIN_OF_CLASS = 4, 128  # 512 training images, one batch of the preset `cpu-small`
_PATIENCE_SECONDS = 120.0


class Service:
    """A migrated home with a free port; its processes end with the context that started them."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COLT_")}
        self.home = home
        self._env = {**kept, "COLT_HOME": str(home), "COLT_PORT": str(port), "COLT_DATA_ROOTS": str(home)}
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30, trust_env=False)
        self._root = f"http://127.0.0.1:{port}"
        subprocess.run([sys.executable, "-m", "cli", "migrate"], env=self._env, check=True, stdout=subprocess.DEVNULL)
        self.engine = build_engine(f"sqlite:///{home / 'colt.db'}")

    @contextmanager
    def running(self, module: str) -> Iterator[None]:
        """`python -m MODULE` for as long as the context lasts; what it says is in the home's NAME.log."""
        with (self.home / f"{module}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module], env=self._env, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)

    def answers(self, path: str) -> bool:
        """Whether the API answers such a request with 200."""
        try:
            return self.client.get(f"{self._root}{path}").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def post(self, path: str, body: dict[str, Any]) -> str:
        """Make a row; returns its id.

        Raises:
            RuntimeError: when the API refuses it.
        """
        created = self.client.post(path, json=body)
        if created.is_error:
            raise RuntimeError(f"{path}: {created.text}")
        row_id: str = created.json()["id"]
        return row_id

    def is_at(self, path: str, status: str) -> bool:
        """Whether the row has this status.

        Raises:
            RuntimeError: when it failed.
        """
        row = self.client.get(path).raise_for_status().json()
        if row["status"] == "failed":
            raise RuntimeError(f"{path}: {row.get('error') or row.get('problem')}")
        return bool(row["status"] == status)


def until(condition: Callable[[], bool], pause: float = 0.01) -> float:
    """Seconds until it held.

    Raises:
        TimeoutError: after two minutes.
    """
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > _PATIENCE_SECONDS:
            raise TimeoutError
        time.sleep(pause)
    return time.perf_counter() - began


def api_starts(service: Service, repeats: int) -> tuple[list[float], list[float]]:
    """Seconds until `/healthz` answers, and until `/readyz` does; a worker runs already."""
    answers, ready = [], []
    for _ in range(repeats):
        with service.running("api"):
            answers.append(until(lambda: service.answers("/healthz")))
            ready.append(answers[-1] + until(lambda: service.answers("/readyz")))
    return answers, ready


def register(service: Service, images: int) -> tuple[str, str]:
    """Ids of a data set and a pool of so many noise images of 32 px each."""
    noise = np.random.default_rng(0).integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)
    np.savez(service.home / "dataset.npz", images=noise, labels=np.arange(images) % _CLASSES)
    np.save(service.home / "pool.npy", noise)
    dataset = service.post(
        "/datasets",
        {
            "name": "noise",
            "source": {"kind": "path", "path": str(service.home / "dataset.npz")},
            "long_tail": {"profile": "exp", "imbalance_ratio": 1, "max_per_class": _TRAIN_OF_CLASS},
        },
    )
    pool = service.post(
        "/ood-pools", {"name": "noise", "source": {"kind": "path", "path": str(service.home / "pool.npy")}}
    )
    until(lambda: service.is_at(f"/datasets/{dataset}", "ready"), 0.2)
    until(lambda: service.is_at(f"/ood-pools/{pool}", "ready"), 0.2)
    return dataset, pool


def job_start(service: Service, dataset: str, pool: str) -> tuple[float, float]:
    """Seconds from the claim until training begins, and until its first step is done and recorded."""
    config = {"preset": "cpu-small", "sampler": "colt", "epochs": 2, "warmup_epochs": 1}
    job = service.post(
        "/jobs",
        {"name": "start", "dataset_id": dataset, "ood_pool_id": pool, "config": config, "evaluations": []},
    )
    until(lambda: service.is_at(f"/jobs/{job}", "succeeded"), 0.1)
    with reading(service.engine) as session:
        claimed = session.get_one(Job, job).started_at
        events = list(session.scalars(select(JobEvent).where(JobEvent.job_id == job).order_by(JobEvent.id)))
    assert claimed is not None
    begins, stepped = (next(event.created_at for event in events if event.kind == kind) for kind in ("log", "progress"))
    return (begins - claimed).total_seconds(), (stepped - claimed).total_seconds()


def main() -> None:
    """Print both, with their goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5,000 images instead of 50,000, and fewer repeats")
    quick = parser.parse_args().quick
    repeats, images = (2, 5_000) if quick else (5, 50_000)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as cleanup:
        service = Service(Path(folder))
        cleanup.callback(service.engine.dispose)
        cleanup.enter_context(service.client)
        cleanup.enter_context(service.running("worker"))
        with service.running("api"):  # also waits for the worker
            until(lambda: service.answers("/readyz"))
        answers, ready = map(statistics.median, api_starts(service, repeats))
        with service.running("api"):
            until(lambda: service.answers("/readyz"))
            dataset, pool = register(service, images)
            jobs = [job_start(service, dataset, pool) for _ in range(repeats)]
    begins, stepped = map(statistics.median, zip(*jobs, strict=True))
    report = Report("start")
    report.table(
        f"Start, seconds: medians of {repeats}; data set and pool of {images:,} images",
        ["", "seconds", "goal"],
        [
            ["API: process start to its first answer", f"{answers:.2f}", f"{API_GOAL_SECONDS:g}"],
            ["API: process start to `/readyz` 200", f"{ready:.2f}", f"{API_GOAL_SECONDS:g}"],
            ["job: claim to the start of training", f"{begins:.2f}", ""],
            ["job: claim to the end of the first optimiser step", f"{stepped:.2f}", f"{JOB_GOAL_SECONDS:g}"],
        ],
    )
    report.figure("api_first_answer_seconds", answers)
    report.figure("api_ready_seconds", ready)
    report.figure("job_training_begins_seconds", begins)
    report.figure("job_first_step_seconds", stepped)
    report.ratio("api_start_over_goal_2s", ready / API_GOAL_SECONDS)
    report.ratio("job_first_step_over_goal_5s", stepped / JOB_GOAL_SECONDS)
    report.close()


if __name__ == "__main__":
    main()
