"""A finished run as large as people have them.

It has 44,000 steps, 1,000 classes and 76 sampling rounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from store.database import writing
from store.models import Evaluation, Job, SamplingRound
from store.repositories import events, recording
from tests.support.results import Rows

STEPS, EPOCHS, CLASSES, ROUNDS, CLUSTERS, POOL = 44_000, 2000, 1000, 76, 10, 5000
_IN_EPOCH = STEPS // EPOCHS


def large_run(rows: Rows, *, name: str = "large", status: str = "succeeded", dataset_id: str | None = None) -> Job:
    """Write the run as a worker would. Its images are few, as no page shows more."""
    random = np.random.default_rng(0)
    counts = np.round(1280 * (5 / 1280) ** (np.arange(CLASSES) / (CLASSES - 1))).astype(int).tolist()
    if dataset_id is None:
        groups = {
            "many": [c for c, n in enumerate(counts) if n > 100],
            "medium": [c for c, n in enumerate(counts) if 20 <= n <= 100],
            "few": [c for c, n in enumerate(counts) if n < 20],
        }
        names = [f"class {number}" for number in range(CLASSES)]
        known = {"class_names": names, "class_counts": counts, "groups": groups, "num_classes": CLASSES}
        dataset_id = rows.dataset("large", **known).id
    pool = rows.pool(num_samples=POOL)
    values: dict[str, Any] = {"epochs": EPOCHS, "step": STEPS, "steps": STEPS, "epoch": EPOCHS, "accuracy": 0.5}
    job = rows.job(None, pool, name=name, dataset_id=dataset_id, status=status, sampler="colt", **values)
    with writing() as session:
        session.get_one(Job, job.id).config = job.config | {
            "sampler": "colt",
            "sample_budget": 500,
            "warmup_epochs": 24,
        }
    _record_curves(job, random)
    _record_rounds(job, random)
    checkpoint = rows.checkpoint(job, EPOCHS)
    accuracy = np.round(random.beta(4, 3, CLASSES) * 50) / 50
    with writing() as session:
        session.add(
            Evaluation(
                job_id=job.id,
                checkpoint_id=checkpoint.id,
                kind="linear",
                status="succeeded",
                epoch=EPOCHS,
                config={},
                accuracy=float(accuracy.mean()),
                balanced_accuracy=float(accuracy.mean()),
                per_class_accuracy=accuracy.tolist(),
                group_accuracy={"many": 0.6, "medium": 0.5, "few": 0.4},
                group_std=0.08,
                class_counts=counts,
                test_counts=[50] * CLASSES,
            )
        )
    return job


def _record_curves(job: Job, random: np.random.Generator) -> None:
    steps = np.arange(1, STEPS + 1)
    falling = 3 + 4 * np.exp(-steps / 8000)
    of_steps = {
        name: falling + random.normal(0, 0.1, STEPS) for name in ("loss", "contrastive_loss", "distribution_loss")
    }
    of_steps["learning_rate"] = 0.5 * (1 + np.cos(np.pi * steps / STEPS)) / 2
    ends = steps[_IN_EPOCH - 1 :: _IN_EPOCH]
    of_epochs = {"epoch_loss": of_steps["loss"].reshape(EPOCHS, -1).mean(1)}
    for name in ("epoch", "data", "forward_backward", "tailness"):
        of_epochs[f"{name}_seconds"] = random.gamma(20, 0.5, EPOCHS)
    with writing() as session:
        for at, curves in ((steps, of_steps), (ends, of_epochs)):
            for name, value in curves.items():
                points = [(name, int(step), float(number)) for step, number in zip(at, value, strict=True)]
                recording.add_metrics(session, job.id, points)


def _record_rounds(job: Job, random: np.random.Generator) -> None:
    with writing() as session:
        for number in range(1, ROUNDS + 1):
            before = 24 + 25 * (number - 1)  # epochs
            selected = np.zeros(POOL, np.uint8)
            selected[random.choice(POOL, 500, replace=False)] = 1
            clusters = [
                {
                    "size": 100,
                    "tailness": float(random.random()),
                    "weight": 1 / CLUSTERS,
                    "budget": 50,
                    "class_counts": random.integers(0, 9, CLASSES).tolist(),
                }
                for _ in range(CLUSTERS)
            ]
            session.add(
                SamplingRound(
                    job_id=job.id,
                    round=number,
                    epoch=before + 1,
                    step=before * _IN_EPOCH,
                    clusters=clusters,
                    num_selected=500,
                    num_embedded=POOL,
                    overlap=0.5,
                    seconds=1.0,
                    ood_tailness=random.random(POOL, np.float32).tobytes(),
                    ood_cluster=random.integers(CLUSTERS, size=POOL).astype("<u2").tobytes(),
                    ood_similarity=random.random(POOL, np.float32).tobytes(),
                    ood_selected=selected.tobytes(),
                    id_cluster=np.zeros(10, "<u2").tobytes(),
                )
            )
            told = {"round": number, "epoch": before + 1, "step": before * _IN_EPOCH}
            events.append(
                session, job.id, "log", {"lines": [f"round {number} before epoch {before + 1}: 500 OOD images picked"]}
            )
            events.append(session, job.id, "round", told)
