"""The runs that the pictures show: SimCLR and COLT on bundled digits, with two seeds each.

Data and seeds are fixed. So another run shows the same, but for the last digits and all times.
"""

from __future__ import annotations

from dataclasses import dataclass

from cli.demo import DATASET, POOL
from colt_client import Analysis, Client, Evaluation, PoolCheck

ANALYSES = (
    "tail_share",
    "cluster_minority",
    "misclassification",
    "connectivity",
    "feature_map",
    "uniformity",
    "alignment",
)
BESIDE = "uniformity"  # the analysis that both runs of COLT have


@dataclass(frozen=True)
class Demo:
    """Ids of what was made.

    Attributes:
        colt: jobs with OOD images, one for each seed. without: those without.
        image: an OOD image that the first job of `colt` picked in its last round.
    """

    dataset: str
    pool: str
    experiment: str
    colt: tuple[str, ...]
    without: tuple[str, ...]
    image: int


def run(client: Client, epochs: int) -> Demo:
    """Register the bundled data, train, evaluate and analyse. It takes minutes on a CPU.

    Raises:
        ColtError: a registration, job, evaluation or analysis failed.
    """
    dataset = client.datasets.register(**DATASET).wait()
    pool = client.ood_pools.register(**POOL).wait()
    experiment = client.experiments.submit(
        [dataset],
        ood_pool=pool,
        name="Digits",
        # Not every CPU computes in bf16.
        config={"preset": "digits", "epochs": epochs, "precision": "fp32"},
        arms=[
            {"name": "SimCLR", "config": {"sampler": "none"}},
            {"name": "COLT", "config": {"sampler": "colt"}},
        ],
        seeds=[0, 1],
    ).wait()
    jobs = sorted(client.jobs.list(), key=lambda job: int(job.info.config["seed"]))
    colt, without = ([job for job in jobs if job.info.config["sampler"] == sampler] for sampler in ("colt", "none"))
    for title, group in (("COLT", colt), ("SimCLR", without)):
        for job in group:
            job.change(name=f"{title}, seed {job.info.config['seed']}")
    last = max(without[0].checkpoints(), key=lambda checkpoint: checkpoint.epoch)
    asked: list[PoolCheck | Evaluation | Analysis] = [
        pool.check(dataset_id=dataset.id, checkpoint_id=last.id, budget=300),
        # By another probe than the runs' own, of which other pages show the newest.
        *(colt[0].evaluate("knn", checkpoint_id=checkpoint.id) for checkpoint in colt[0].checkpoints()),
        *(colt[0].analyse(kind) for kind in ANALYSES),
        colt[1].analyse(BESIDE),
    ]
    for one in asked:
        one.wait()
    image = next(iter(client.tailness.ood(colt[0].id, order="-tailness", selected=True, limit=1)))
    return Demo(
        dataset.id,
        pool.id,
        experiment.id,
        tuple(job.id for job in colt),
        tuple(job.id for job in without),
        image.index,
    )
