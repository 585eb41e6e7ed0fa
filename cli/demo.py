"""`colt demo`: compare SimCLR and COLT on long-tailed handwritten digits."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from cli.errors import Refused
from cli.remote.service import service
from cli.tables import comparison_table, tail_table
from colt_client import Client, ColtError, ConnectionLost, Dataset, Evaluation, Job, OodPool

DATASET: dict[str, Any] = {
    "name": "digits-lt-20",
    "source": {"kind": "sample", "name": "digits"},
    "image_size": 32,
    "long_tail": {"profile": "exp", "imbalance_ratio": 20, "seed": 0},
}
POOL: dict[str, Any] = {
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
        Refused: when no service answers, or it is not ready.
        ColtError: when a registration or job fails.
    """
    with service(url) as client:
        try:
            client.check_ready()
        except ConnectionLost as error:
            raise Refused(
                f"no service answers at {client.url}. Start it with `make up`, in another terminal."
            ) from error
        except ColtError as error:
            raise Refused(f"the service at {client.url} is not ready: {error}") from error
        compare(client, {} if epochs is None else {"epochs": epochs})
    return 0


def compare(client: Client, settings: dict[str, Any]) -> None:
    """Register missing data, train both jobs, and print the results."""
    began = time.monotonic()
    dataset = client.datasets.find(DATASET["name"]) or client.datasets.register(**DATASET).wait()
    pool = client.ood_pools.find(POOL["name"]) or client.ood_pools.register(**POOL).wait()
    info = dataset.info
    print(f"Data set {info.name}: {info.num_samples} images, training counts {info.class_counts}")
    print(f"OOD pool {pool.name}: {pool.info.num_samples} images\n")

    jobs = {title: _submitted(client, title, sampler, dataset, pool, settings) for title, sampler in JOBS.items()}
    for job in jobs.values():
        job.wait()
    results = {title: _linear(job).info.model_dump() for title, job in jobs.items()}
    print(f"\n{comparison_table(info.model_dump(), results)}\n")
    print("Each has one seed and few test images: this shows the service, and is no evidence of a gain.\n")
    picks = client.tailness.ood(jobs["COLT"].id, selected=True, order="-tailness", limit=5)
    table = tail_table([image.model_dump() for image in picks])
    print(f"Of the OOD images that COLT picked last, those nearest to the tail:\n{table}\n")
    print(f"Done in {time.monotonic() - began:.0f} s. In the dashboard:")
    for title, job in jobs.items():
        print(f"  {title:<15}{job.url}")
    print(f"  {'What it picked':<15}{jobs['COLT'].url}#ood")
    # The first job of the address is the baseline.
    sides = urlencode([("job_id", str(job.id)) for job in jobs.values()])
    print(f"  {'Did COLT help?':<15}{client.url}/compare?{sides}")


def _submitted(
    client: Client, title: str, sampler: str, dataset: Dataset, pool: OodPool, settings: dict[str, Any]
) -> Job:
    config: Any = {"preset": "digits", "sampler": sampler, "seed": 0, **settings}
    return client.jobs.submit(
        dataset,
        ood_pool=None if sampler == "none" else pool,
        name=f"demo {title}",
        tags=["demo"],
        config=config,
        evaluations=["linear"],
    )


def _linear(job: Job) -> Evaluation:
    return next(item for item in job.evaluations() if item.info.kind == "linear" and item.status == "succeeded")
