"""Start times of the service, with real processes on SQLite and files.

    python -m benchmarks.start

For the API, the time runs from the start of `python -m api` to its first answer, and to a ready
`/readyz`. For a job, it runs from its claim by a worker to the end of its first optimiser step.
Data set and pool are registered noise images. The job's first epoch is one step, so that the step
is recorded at once. A sampling round and a second epoch follow.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import select

from benchmarks.report import Report
from benchmarks.service import Service, register, until
from store.database import reading
from store.models import Job, JobEvent

API_GOAL_SECONDS, JOB_GOAL_SECONDS = 2.0, 5.0
_TRAIN_OF_CLASS = 128  # 512 training images, one batch of the preset `cpu-small`


def api_starts(service: Service, repeats: int) -> tuple[list[float], list[float]]:
    """Seconds until `/healthz` and `/readyz` answer. A worker is running already."""
    answers, ready = [], []
    for _ in range(repeats):
        with service.running("api"):
            answers.append(until(lambda: service.answers("/healthz")))
            ready.append(answers[-1] + until(lambda: service.answers("/readyz")))
    return answers, ready


def job_start(service: Service, dataset: str, pool: str) -> tuple[float, float]:
    """Seconds from the claim until training begins, and until its first step is recorded."""
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
    """Print start times and goals."""
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
            dataset, pool = register(service, images, _TRAIN_OF_CLASS)
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
