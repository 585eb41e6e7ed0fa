"""How long a client waits for the tailness of 1,000 unseen images of 32 px.

    python -m benchmarks.score

A short job of the preset `cpu-small` on noise runs on the real service, on SQLite and files. The
first request is cold: a process loads the checkpoint and embeds the training images. The next ones
are warm. The upload of the images (3 MB) is counted too.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.report import Report
from benchmarks.service import CLASSES, Service, register, until

IMAGES, WARM = 1000, 5
COLD_GOAL_SECONDS, WARM_GOAL_SECONDS = 5.0, 1.0
CONFIG = {"preset": "cpu-small", "epochs": 2, "warmup_epochs": 1, "sample_budget": 200}


def score(service: Service, job: str, images: np.ndarray) -> tuple[float, float]:
    """Seconds of the upload of some images and of their scores.

    Raises:
        RuntimeError: if they are not scored within 30 s.
    """
    file = io.BytesIO()
    np.savez(file, images=images)
    began = time.perf_counter()
    sent = service.client.post("/uploads", params={"filename": "a.npz"}, content=file.getvalue()).raise_for_status()
    uploaded = time.perf_counter()
    body = {"upload_id": sent.json()["id"]}
    found = service.client.post(f"/jobs/{job}/ood-tailness/score", params={"wait": 30}, json=body, timeout=60)
    if found.status_code != 200 or len(found.json()["scores"]) != len(images):
        raise RuntimeError(found.text[:1000])
    return uploaded - began, time.perf_counter() - uploaded


def main() -> None:
    """Print the seconds of a cold request, and of the median warm one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 training images instead of 11,164")
    of_class = 250 if parser.parse_args().quick else 2791  # about as many as CIFAR-10-LT has
    rng = np.random.default_rng(1)
    batches = [rng.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8) for _ in range(1 + WARM)]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as cleanup:
        service = Service(Path(folder))
        cleanup.callback(service.engine.dispose)
        cleanup.enter_context(service.client)
        cleanup.enter_context(service.running("worker"))
        cleanup.enter_context(service.running("api"))
        until(lambda: service.answers("/readyz"))
        dataset, pool = register(service, 2 * of_class * CLASSES, of_class)
        named = {"dataset_id": dataset, "ood_pool_id": pool, "evaluations": []}
        job = service.post("/jobs", {"name": "score", "config": CONFIG, **named})
        while not service.is_at(f"/jobs/{job}", "succeeded"):
            time.sleep(0.2)
        cold, *warm = (sum(score(service, job, batch)) for batch in batches)
    report = Report("score")
    report.table(
        f"Tailness of {IMAGES:,} images of 32 px, seconds with their upload; {of_class * CLASSES:,} training images",
        ["request", "seconds", "goal"],
        [
            ["cold", f"{cold:.2f}", f"{COLD_GOAL_SECONDS:g}"],
            [f"warm, median of {WARM}", f"{statistics.median(warm):.2f}", f"{WARM_GOAL_SECONDS:g}"],
        ],
    )
    report.figure("score_cold_seconds", cold)
    report.figure("score_warm_seconds", statistics.median(warm))
    report.ratio("score_cold_over_goal_5s", cold / COLD_GOAL_SECONDS)
    report.ratio("score_warm_over_goal_1s", statistics.median(warm) / WARM_GOAL_SECONDS)
    report.close()


if __name__ == "__main__":
    main()
