"""Response times of the API with a large run in the database.

    python -m benchmarks.queries

The run has 2,000 epochs, a pool of 50,000 images and 76 sampling rounds. Requests go through the
whole application in this process. A row has the median and the slowest of `--repeat` requests. The
database must be empty. Default: a temporary SQLite file.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.report import Report


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
    arguments = parser.parse_args()
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
        job_id, dataset_id = fill(arguments)
        report.figure("queries_filling_seconds", time.perf_counter() - began)
        measure(arguments, job_id, dataset_id, report)
    report.close()


def fill(arguments: argparse.Namespace) -> tuple[str, str]:
    """Write rows and artifacts of one large run and many small ones.

    Returns:
        The ids of the large run and its data set.
    """
    from colt_core.config import PretrainConfig
    from store.artifacts import get_artifacts
    from store.database import get_engine, writing
    from store.migrate import upgrade
    from store.models import Dataset, Job, OodPool, SamplingRound, TailnessEpoch, new_id
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
    budget = min(10_000, arguments.pool)
    for number in range(1, arguments.rounds + 1):
        selected = np.zeros(arguments.pool, np.uint8)
        selected[generator.choice(arguments.pool, budget, replace=False)] = 1
        with writing() as session:
            session.add(
                SamplingRound(
                    job_id=big,
                    round=number,
                    epoch=number,
                    step=number,
                    clusters=[{"size": 1, "tailness": 0.0, "weight": 0.1, "budget": 1, "class_counts": [0] * classes}]
                    * 10,
                    num_selected=budget,
                    overlap=0.5,
                    seconds=1.0,
                    ood_tailness=generator.random(arguments.pool, np.float32).tobytes(),
                    ood_cluster=generator.integers(10, size=arguments.pool).astype("<u2").tobytes(),
                    ood_similarity=generator.random(arguments.pool, np.float32).tobytes(),
                    ood_selected=selected.tobytes(),
                    id_cluster=np.zeros(arguments.train, "<u2").tobytes(),
                )
            )
    for epoch in range(1, arguments.epochs + 1):
        scores = generator.random(arguments.train, np.float32)
        with writing() as session:
            session.add(TailnessEpoch(job_id=big, epoch=epoch, class_means=[0.0] * classes, scores=scores.tobytes()))
    for name in ("loss", "contrastive_loss", "distribution_loss", "learning_rate"):
        values = generator.random(arguments.steps)
        with writing() as session:
            recording.add_metrics(session, big, [(name, step, float(value)) for step, value in enumerate(values, 1)])
    return big, dataset.id


def measure(arguments: argparse.Namespace, job_id: str, dataset_id: str, report: Report) -> None:
    """Measure the median and the slowest of several requests, for each query."""
    from fastapi.testclient import TestClient

    from api.main import create_app

    job, middle = f"/jobs/{job_id}", arguments.pool // 2
    queries = {
        "jobs": "/jobs?limit=50",
        "jobs_by_accuracy": "/jobs?order=-accuracy&tag=bench&limit=50",
        "job": job,
        "curves": f"{job}/metrics?max_points=1000",
        "curve": f"{job}/metrics?name=loss&max_points=500",
        "tailness_page": f"{job}/tailness/samples?limit=100",
        "tailness_of_one_image": f"{job}/tailness/samples/17",
        "tailness_of_classes": f"{job}/tailness/classes",
        "rounds": f"{job}/rounds?limit=1000",
        "ood_tailness_page": f"{job}/ood-tailness?limit=100",
        "ood_tailness_filtered": f"{job}/ood-tailness?selected=true&cluster=3&min=0.5&order=-similarity&limit=100",
        "ood_tailness_first_round": f"{job}/ood-tailness?round=1&limit=1000",
        "ood_image_over_rounds": f"{job}/ood-tailness/{middle}",
        "ood_export": f"{job}/ood-tailness/export?format=csv",
        "samples_page": f"/datasets/{dataset_id}/samples?split=train&label=9&limit=100",
        "sample_image": f"/datasets/{dataset_id}/samples/17/image",
    }
    rows = []
    with TestClient(create_app(dashboard=Path("/nowhere")), base_url="http://localhost") as client:
        for name, query in queries.items():
            milliseconds = []
            for _ in range(arguments.repeat):
                began = time.perf_counter()
                answer = client.get(f"/api/v1{query}")
                milliseconds.append(1000 * (time.perf_counter() - began))
                assert answer.status_code == 200, answer.text
            median = statistics.median(milliseconds)
            report.figure(f"query_{name}_ms", median)
            shown = query.replace(job_id, "{id}").replace(dataset_id, "{id}")
            rows.append([f"`{shown}`", f"{median:.1f}", f"{max(milliseconds):.1f}", f"{len(answer.content):,}"])
    report.table(
        f"Requests about a run of {arguments.epochs:,} epochs and {arguments.rounds} rounds, among "
        f"{arguments.jobs - 1:,} others",
        ["query", "median ms", "slowest", "bytes"],
        rows,
    )


if __name__ == "__main__":
    main()
