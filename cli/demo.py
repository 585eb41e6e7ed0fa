"""`colt demo`: compare SimCLR and COLT on long-tailed handwritten digits."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import Any

from tqdm import tqdm

from cli.address import service_url
from cli.client import Client, Json
from cli.errors import Refused
from cli.tables import comparison_table, tail_table
from store.settings import get_settings
from store.statuses import FINAL, RegistrationStatus, WorkStatus

DATASET: Json = {
    "name": "digits-lt-20",
    "source": {"kind": "sample", "name": "digits"},
    "image_size": 32,
    "long_tail": {"profile": "exp", "imbalance_ratio": 20, "seed": 0},
}
POOL: Json = {
    "name": "glyphs-and-patches",
    "source": {"kind": "sample", "name": "glyphs-and-patches"},
    "image_size": 32,
}
JOBS = {"SimCLR": "none", "COLT": "colt"}  # the column's title: the sampler


def demo(url: str | None, epochs: int | None) -> int:
    """Run the demonstration on a running service.

    Args:
        url: the service's address; None for this machine's.
        epochs: epochs of each job; None for the preset's.

    Raises:
        Refused: when no service answers, or a registration or job fails.
    """
    with closing(Client(url or service_url(get_settings()))) as client:
        client.check_ready()
        compare(client, {} if epochs is None else {"epochs": epochs})
    return 0


def compare(client: Client, settings: Json) -> None:
    """Register missing data, train both jobs, and print the results."""
    began = time.monotonic()
    dataset = _registered(client, "/datasets", DATASET)
    pool = _registered(client, "/ood-pools", POOL)
    print(f"Data set {dataset['name']}: {dataset['num_samples']} images, training counts {dataset['class_counts']}")
    print(f"OOD pool {pool['name']}: {pool['num_samples']} images\n")

    jobs = {}
    for title, sampler in JOBS.items():
        jobs[title] = client.post(
            "/jobs",
            {
                "name": f"demo {title}",
                "tags": ["demo"],
                "dataset_id": dataset["id"],
                "ood_pool_id": pool["id"] if sampler != "none" else None,
                "config": {"preset": "digits", "sampler": sampler, "seed": 0, **settings},
                "evaluations": ["linear"],
            },
        )
    for title, job in jobs.items():
        _follow_job(client, title, job["id"])

    results = {title: _linear(client, job["id"]) for title, job in jobs.items()}
    print(f"\n{comparison_table(dataset, results)}\n")
    print("Each has one seed and few test images: this shows the service, and is no evidence of a gain.\n")
    top = client.get(f"/jobs/{jobs['COLT']['id']}/ood-tailness", order="-tailness", limit=5)["items"]
    print(f"The OOD images nearest to the tail in the last sampling round of COLT:\n{tail_table(top)}\n")
    for title, job in jobs.items():
        print(f"{title:>6} in the dashboard: {client.url}/jobs/{job['id']}")
    print(f"\nDone in {time.monotonic() - began:.0f} s.")


def _bar(description: str, **options: Any) -> tqdm[Any]:
    # In a file or a pipe, a line every few seconds is enough.
    return tqdm(desc=description, mininterval=0.1 if sys.stderr.isatty() else 15, **options)


def _registered(client: Client, path: str, body: Json) -> Json:
    """A ready data set or pool of this name. It is registered if there is none."""
    found = client.find(path, lambda item: item["name"] == body["name"] and item["status"] == RegistrationStatus.READY)
    if found is not None:
        return found
    started = client.post(path, body)
    with _bar(f"Registering {body['name']}", total=1.0, bar_format="{desc}: {percentage:3.0f}%|{bar}|") as bar:

        def show(item: Json) -> None:
            done = 1.0 if item["status"] == RegistrationStatus.READY else min(1.0, item.get("progress") or 0.0)
            bar.update(done - bar.n)

        item = client.follow(f"{path}/{started['id']}", {RegistrationStatus.REGISTERING}, show)
    if item["status"] != RegistrationStatus.READY:
        raise Refused(f"{body['name']} could not be registered: {(item['problem'] or {}).get('detail')}")
    return item


def _follow_job(client: Client, title: str, job_id: str) -> None:
    with _bar(f"{title:>6}", unit="epoch", total=client.get(f"/jobs/{job_id}")["progress"]["epochs"]) as bar:

        def show(job: Json) -> None:
            loss = "" if job["loss"] is None else f", loss {job['loss']:.3f}"
            bar.set_postfix_str(f"{job['status']}{loss}", refresh=False)
            bar.update(job["progress"]["epoch"] - bar.n)

        job = client.follow(f"/jobs/{job_id}", set(WorkStatus) - FINAL, show)
    if job["status"] != WorkStatus.SUCCEEDED:
        raise Refused(f"the {title} job {job['status']}: {job['error'] or f'{client.url}/jobs/{job_id}'}")


def _linear(client: Client, job_id: str) -> Json:
    items = client.get(f"/jobs/{job_id}/evaluations")["items"]
    return next(item for item in items if item["kind"] == "linear" and item["status"] == WorkStatus.SUCCEEDED)
