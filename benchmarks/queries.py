"""Response times of the API with a large run in the database.

    python -m benchmarks.queries

The run has 2,000 epochs, a pool of 50,000 images and 76 sampling rounds, of which another run has
the last 10. The trainer's recorder writes the rounds. Requests go through the whole application in
this process. A row has the median, the 95th percentile and the slowest of `--repeat` requests. The
database must be empty. Default: a temporary SQLite file.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Report

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from colt_core.config import PretrainConfig
    from store.models import Job


def main() -> None:
    """Fill the database, then print a table with a row for each query."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--pool", type=int, default=50_000)
    parser.add_argument("--train", type=int, default=11_165)
    parser.add_argument("--rounds", type=int, default=76)
    parser.add_argument("--epochs", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=44_000)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="a tenth of the epochs, rounds and steps; 5 requests each")
    parser.add_argument("--export", default="", help=argparse.SUPPRESS)  # of the process that measures it
    arguments = parser.parse_args()
    if arguments.export:
        export_once(arguments.export)
        return
    if arguments.quick:
        arguments.repeat = 5
        for name in ("rounds", "epochs", "steps"):
            setattr(arguments, name, -(-getattr(arguments, name) // 10))
    report = Report("queries")
    with tempfile.TemporaryDirectory() as home:
        # Set before anything reads the settings.
        os.environ["COLT_HOME"] = home
        if arguments.database_url:
            os.environ["COLT_DATABASE_URL"] = arguments.database_url
        began = time.perf_counter()
        filled = fill(arguments)
        report.figure("queries_filling_seconds", time.perf_counter() - began)
        report.figure("query_round_write_seconds", statistics.median(filled.round_seconds))
        written = sum(path.stat().st_size for path in Path(home).rglob("*") if path.suffix in (".db", ".scores"))
        print(
            f"writing a round: median {statistics.median(filled.round_seconds):.2f} s, slowest "
            f"{max(filled.round_seconds):.2f} s; database and rounds: {written:,} bytes"
        )
        measure(arguments, filled, report)
        export_rows(arguments, filled.job_id, report)
    report.close()


@dataclass(frozen=True, slots=True)
class Filled:
    """Ids of the large run, of the one compared with it and of their data set, and how long each
    round took to write."""

    job_id: str
    other_id: str
    dataset_id: str
    round_seconds: list[float]


def fill(arguments: argparse.Namespace) -> Filled:
    """Write rows and artifacts of one large run and many small ones."""
    from colt_core.config import PretrainConfig
    from store.artifacts import get_artifacts
    from store.database import get_engine, writing
    from store.migrate import upgrade
    from store.models import Dataset, Job, OodPool, TailnessEpoch, new_id
    from store.repositories import recording

    upgrade(get_engine())
    generator = np.random.default_rng(0)
    classes = 10
    labels = np.sort(generator.integers(classes, size=arguments.train))
    dataset = Dataset(
        id=new_id(),
        name="bench",
        status="ready",
        spec={},
        image_size=32,
        num_samples=arguments.train,
        num_classes=classes,
        class_names=[f"class {label}" for label in range(classes)],
        class_counts=np.bincount(labels, minlength=classes).tolist(),
        split_sizes={"train": arguments.train, "probe": 0, "val": 0, "test": 0},
    )
    pool = OodPool(id=new_id(), name="bench", status="ready", spec={}, image_size=32, num_samples=arguments.pool)
    images, label_file, parts = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(images, generator.integers(256, size=(arguments.train, 3, 32, 32), dtype=np.uint8))
    np.save(label_file, labels)
    np.savez(parts, train=np.arange(arguments.train))
    for name, file in (("images.npy", images), ("labels.npy", label_file), ("parts.npz", parts)):
        get_artifacts().write(f"{dataset.artifact}/{name}", [file.getvalue()])
    config = PretrainConfig.resolve({"preset": "cifar10-lt"})
    jobs = [
        Job(
            id=new_id(),
            name=f"run {number}",
            dataset_id=dataset.id,
            ood_pool_id=pool.id,
            config=config.model_dump(mode="json"),
            framework="simclr",
            sampler="colt",
            evaluations=["linear"],
            epochs=config.epochs,
            status="succeeded",
            accuracy=number / arguments.jobs,
            tags=["bench"] if number % 2 else [],
        )
        for number in range(arguments.jobs)
    ]
    big = jobs[0].id
    with writing() as session:
        session.add_all([dataset, pool])
        session.flush()
        session.add_all(jobs)
    seconds = write_rounds(arguments, jobs[:2], config, labels, generator)
    for epoch in range(1, arguments.epochs + 1):
        scores = generator.random(arguments.train, np.float32)
        with writing() as session:
            session.add(TailnessEpoch(job_id=big, epoch=epoch, class_means=[0.0] * classes, scores=scores.tobytes()))
    for name in ("loss", "contrastive_loss", "distribution_loss", "learning_rate"):
        values = generator.random(arguments.steps)
        with writing() as session:
            recording.add_metrics(session, big, [(name, step, float(value)) for step, value in enumerate(values, 1)])
    return Filled(big, jobs[1].id, dataset.id, seconds)


def write_rounds(
    arguments: argparse.Namespace,
    jobs: list[Job],
    config: PretrainConfig,
    labels: NDArray[np.int64],
    generator: np.random.Generator,
) -> list[float]:
    """Write all rounds of the first job, and ten of the second, as their trainers would.

    Returns:
        Seconds of each write.
    """
    from colt_core.events import Cluster, RoundDone
    from store import leases
    from store.artifacts import get_artifacts
    from store.database import writing
    from store.models import Job
    from worker.checkpoints import CheckpointFolder
    from worker.recorder import Recorder

    seconds, pool = [], arguments.pool
    for job, rounds in zip(jobs, (arguments.rounds, min(10, arguments.rounds)), strict=True):
        with writing() as session:
            session.get_one(Job, job.id).status = "queued"
        with writing() as session:
            lease = leases.claim(session, Job, "bench", 86_400)
        assert lease is not None and lease.id == job.id
        folder, nothing = CheckpointFolder(get_artifacts(), job.id), np.empty(0, np.int64)
        recorder = Recorder(lease, config, labels, 10, folder, epoch=0, previous=nothing)
        for number in range(1, rounds + 1):
            budget = min(10_000, pool)
            event = RoundDone(
                round=number,
                epoch=number,
                step=number,
                clusters=(Cluster(arguments.train // 10, 0.0, 0.1, budget // 10),) * 10,
                id_cluster=np.zeros(arguments.train, np.int64),
                selected=generator.choice(pool, budget, replace=False),
                ood_tailness=generator.random(pool, np.float32),
                ood_cluster=generator.integers(10, size=pool),
                ood_similarity=generator.random(pool, np.float32),
                nearest=generator.integers(arguments.train, size=(budget, 8)),
                nearest_similarity=generator.random((budget, 8), np.float32),
                ood_embedded=pool,
                seconds=1.0,
            )
            began = time.perf_counter()
            recorder.record(event)
            seconds.append(time.perf_counter() - began)
        with writing() as session:
            row = session.get_one(Job, job.id)
            row.status, row.lease_token = "succeeded", None
    return seconds


def export_rows(arguments: argparse.Namespace, job_id: str, report: Report) -> None:
    """Measure exports of a round. Each runs in a process of its own, whose memory is measured."""
    rows = []
    for kind in ("csv", "parquet"):
        asked = [sys.executable, "-m", "benchmarks.queries", "--export", f"{job_id} {kind}"]
        told = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
        report.figure(f"query_export_{kind}_rows_per_second", arguments.pool / told["seconds"])
        grown = f"{told['grown'] / 2**20:.0f}"
        rows.append([kind, f"{arguments.pool / told['seconds']:,.0f}", grown, f"{told['bytes']:,}"])
    report.table(
        f"Export of a round of {arguments.pool:,} images, after a page of it",
        ["format", "rows per second", "MiB by which memory grew", "bytes"],
        rows,
    )


def export_once(asked: str) -> None:
    """Print seconds, bytes and growth of memory of the second export of the last round."""
    from fastapi.testclient import TestClient

    from api.main import create_app

    job_id, kind = asked.split()
    with TestClient(create_app(dashboard=Path("/nowhere")), base_url="http://localhost") as client:
        address = f"/api/v1/jobs/{job_id}/ood-tailness"
        client.get(f"{address}?limit=100")
        client.get(f"{address}/export?format={kind}&cluster=60000")  # imports what it needs
        before, size = most_memory(), 0
        began = time.perf_counter()
        with client.stream("GET", f"{address}/export?format={kind}") as answer:
            assert answer.status_code == 200
            for piece in answer.iter_bytes():
                size += len(piece)
        seconds = time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "bytes": size, "grown": most_memory() - before}))


def most_memory() -> int:
    """Most bytes of memory that this process had at once."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(arguments: argparse.Namespace, filled: Filled, report: Report) -> None:
    """Measure the median and the slowest of several requests, for each query."""
    from fastapi.testclient import TestClient

    from api.main import create_app

    job_id, dataset_id = filled.job_id, filled.dataset_id
    job, middle = f"/jobs/{job_id}", arguments.pool // 2
    queries = {
        "jobs": "/jobs?limit=50",
        "jobs_by_accuracy": "/jobs?order=-accuracy&tag=bench&limit=50",
        "job": job,
        "curves": f"{job}/metrics?max_points=1000",
        "new_points": f"{job}/metrics?after_step={arguments.steps - 50}",
        "curve": f"{job}/metrics?name=loss&max_points=500",
        "tailness_page": f"{job}/tailness/samples?limit=100",
        "tailness_of_one_image": f"{job}/tailness/samples/17",
        "tailness_of_classes": f"{job}/tailness/classes",
        "rounds": f"{job}/rounds?limit=1000",
        "ood_tailness_page": f"{job}/ood-tailness?limit=100",
        "ood_tailness_filtered": f"{job}/ood-tailness?selected=true&cluster=3&min=0.5&order=-similarity&limit=100",
        "ood_tailness_by_similarity": f"{job}/ood-tailness?order=-similarity&limit=100",
        "ood_tailness_in_cluster": f"{job}/ood-tailness?cluster=3&limit=100",
        "ood_tailness_picks": f"{job}/ood-tailness?selected=true&limit=100",
        "ood_tailness_page_500": f"{job}/ood-tailness?limit=100&cursor=PAGE_500",
        "ood_histogram": f"{job}/ood-tailness/histogram",
        "ood_tailness_first_round": f"{job}/ood-tailness?round=1&limit=1000",
        "ood_image_over_rounds": f"{job}/ood-tailness/{middle}",
        "picks": f"{job}/picks",
        "compared_picks": f"/compare/picks?job_id={job_id}&job_id={filled.other_id}&limit=100",
        "samples_page": f"/datasets/{dataset_id}/samples?split=train&label=9&limit=100",
        "sample_image": f"/datasets/{dataset_id}/samples/17/image",
    }
    rows = []
    with TestClient(create_app(dashboard=Path("/nowhere")), base_url="http://localhost") as client:
        for name, query in queries.items():
            if "PAGE_500" in query:
                query = query.replace("PAGE_500", cursor_of(client, f"/api/v1{job}/ood-tailness"))
            milliseconds = []
            for _ in range(arguments.repeat):
                began = time.perf_counter()
                answer = client.get(f"/api/v1{query}")
                milliseconds.append(1000 * (time.perf_counter() - began))
                assert answer.status_code == 200, answer.text
            median, slow = statistics.median(milliseconds), float(np.percentile(milliseconds, 95))
            report.figure(f"query_{name}_ms", median)
            shown = queries[name].replace(job_id, "{id}").replace(dataset_id, "{id}")
            shown = shown.replace(filled.other_id, "{other}").replace("PAGE_500", "(page 500)")
            times = [f"{value:.1f}" for value in (median, slow, max(milliseconds))]
            rows.append([f"`{shown}`", *times, f"{len(answer.content):,}"])
    report.table(
        f"Requests about a run of {arguments.epochs:,} epochs and {arguments.rounds} rounds, among "
        f"{arguments.jobs - 1:,} others",
        ["query", "median ms", "p95", "slowest", "bytes"],
        rows,
    )


def cursor_of(client: TestClient, address: str) -> str:
    """The cursor of page 500 of 100 images, or of the last page of a small pool."""
    cursor = ""
    for limit in [1000] * 49 + [100] * 9:
        query = f"?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        following = client.get(f"{address}{query}").json()["next_cursor"]
        if following is None:
            break
        cursor = following
    return cursor


if __name__ == "__main__":
    main()
