"""An ablation of seven arms: each alone, with a shared beginning, and also side by side.

    python -m benchmarks.experiment_speed

The service runs as real processes, on SQLite. Proportions are those of `cpu-small` on CIFAR-10-LT:
a quarter of the epochs come before the first round, and later epochs have 1.3 times the steps.
Images are noise, and batches are smaller. The time is that from the first job's start to the last
one's end. It leaves out the start of the worker. It also leaves out some seconds, once in a
worker's life, in which it measures whether jobs side by side are quicker.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from benchmarks.report import Report
from benchmarks.service import Service, register
from colt_core.config import PretrainConfig
from colt_core.training.beginning import Beginning
from store.database import reading, writing
from store.models import Job
from store.statuses import FINAL, WorkStatus

CLASSES, TRAIN_OF_CLASS, IMAGES, BATCH, BUDGET = 4, 320, 2560, 128, 384
ARMS: dict[str, dict[str, Any]] = {
    "colt": {},
    "colt without its loss": {"distribution_loss_weight": 0},
    "colt, tail first": {"cluster_order": "tail_first"},
    "colt, 20 clusters": {"num_clusters": 20},
    "random": {"sampler": "random"},
    "mak": {"sampler": "mak"},
    "none, as many steps": {"sampler": "none", "match_steps": True},
}
# Of each way: whether beginnings are shared, and how many jobs run at once.
WAYS = {"separate": (False, "1"), "shared": (True, "1"), "shared, side by side": (True, "auto")}
_PATIENCE_SECONDS = 4 * 3600.0


def main() -> int:
    """Measure and print. Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--epochs", type=int, default=40, help="of each arm (default: 40; cpu-small has 200)")
    parser.add_argument("--quick", action="store_true", help="8 epochs")
    given = parser.parse_args()
    epochs = 8 if given.quick else given.epochs
    report = Report("experiment_speed")
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder))
        with service.running("api"):
            _wait(lambda: service.answers("/healthz"), 60)
            with service.running("worker"):
                data = register(service, IMAGES, TRAIN_OF_CLASS)
            for way, (shares, at_once) in WAYS.items():
                of_way = Service(Path(folder), COLT_JOBS_SIDE_BY_SIDE=at_once)
                seconds[way] = _run(service, of_way, data, epochs, way if shares else None)
    alone = seconds["separate"]
    rows = [[way, f"{spent:.1f}", f"{spent / alone:.2f}", f"{alone / spent:.2f}x"] for way, spent in seconds.items()]
    report.table(f"Seven arms of {epochs} epochs", ["", "seconds", "of separate", "as quick"], rows)
    for way, spent in seconds.items():
        report.figure(f"{way.replace(', ', '_').replace(' ', '_')}_seconds", spent)
    report.ratio("shared_over_separate", seconds["shared"] / alone)
    report.ratio("separate_over_shared_side_by_side", alone / seconds["shared, side by side"])
    report.close()
    return 0


def _run(service: Service, of_way: Service, data: tuple[str, str], epochs: int, group: str | None) -> float:
    """Submit the arms, start a worker and wait.

    Args:
        group: within which beginnings are shared; None to share none.

    Returns:
        Seconds from the first start to the last end.
    """
    dataset, pool = data
    ids = []
    for arm, settings in ARMS.items():
        common = {"preset": "cpu-small", "epochs": epochs, "batch_size": BATCH, "sample_budget": BUDGET}
        read = None if settings.get("sampler") == "none" else pool
        body = {"name": arm, "dataset_id": dataset, "ood_pool_id": read, "evaluations": []}
        ids.append(service.post("/jobs", {**body, "config": {**common, **settings}}))
    if group is not None:  # as the API does for the jobs of an experiment
        _share(service, ids, group)
    with of_way.running("worker"):
        _wait(lambda: _all_ended(service, ids), _PATIENCE_SECONDS, 0.5)
    with reading(service.engine) as session:
        jobs = list(session.scalars(select(Job).where(Job.id.in_(ids))))
    failed = [f"{job.name}: {job.status}, {job.error}" for job in jobs if job.status != WorkStatus.SUCCEEDED]
    taken_over = sum(job.beginning_job_id is not None for job in jobs)
    if failed or taken_over != (0 if group is None else len(ARMS) - 1):
        raise RuntimeError(f"{taken_over} jobs took a beginning over; failed: {failed}")
    starts, ends = [job.started_at for job in jobs], [job.finished_at for job in jobs]
    return (max(end for end in ends if end) - min(start for start in starts if start)).total_seconds()


def _share(service: Service, ids: list[str], group: str) -> None:
    with writing(service.engine) as session:
        for job in session.scalars(select(Job).where(Job.id.in_(ids))).all():
            beginning = Beginning.of(PretrainConfig.from_stored(job.config), CLASSES * TRAIN_OF_CLASS)
            assert beginning is not None
            session.execute(update(Job).where(Job.id == job.id).values(beginning=f"{group}: {beginning.digest}"))


def _all_ended(service: Service, ids: list[str]) -> bool:
    with reading(service.engine) as session:
        statuses = session.scalars(select(Job.status).where(Job.id.in_(ids))).all()
    return all(status in FINAL for status in statuses)


def _wait(condition: Callable[[], bool], seconds: float, pause: float = 0.05) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(pause)


if __name__ == "__main__":
    sys.exit(main())
