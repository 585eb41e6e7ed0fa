"""The model card of a run, in the layout of Hugging Face: metadata as YAML, then sections.

It says what is recorded, and what is not known. Nothing is estimated.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import yaml
from sqlalchemy.orm import Session

from api.experiments.result_schemas import ResultRow
from api.experiments.results import results
from api.experiments.tables import TITLES
from api.markdown import plain, table
from colt_core.config import PretrainConfig
from colt_core.pixels import MEAN, STD
from colt_core.probes.kinds import probes
from colt_core.version import installed_version
from store.models import Checkpoint, Dataset, Evaluation, Job, OodPool
from store.repositories import checkpoint_work, checkpoints, experiments
from store.statuses import WorkStatus

_MOST_EXPERIMENTS = 3
_PAPER = (
    "Bai et al.: *On the Effectiveness of Out-of-Distribution Data in Self-Supervised Long-Tail Learning*, ICLR 2023, "
    "[arXiv:2306.04934](https://arxiv.org/abs/2306.04934)"
)
_GROUPS = ("many", "medium", "few")
_NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Known:
    """What a card is written from.

    Attributes:
        evaluated: the data set of the evaluations.
        checkpoint: the last one.
        evaluations: the latest of each kind of probe.
        differences: rows of experiments that have an interval, by the experiment's name.
    """

    job: Job
    dataset: Dataset
    evaluated: Dataset
    pool: OodPool | None
    checkpoint: Checkpoint | None
    evaluations: Mapping[str, Evaluation]
    differences: Mapping[str, list[tuple[str, ResultRow]]]
    now: dt.datetime

    @classmethod
    def of(
        cls, session: Session, job: Job, dataset: Dataset, evaluated: Dataset, pool: OodPool | None, now: dt.datetime
    ) -> Self:
        """Read the rest."""
        differences = {}
        for experiment, arm in experiments.of_job(session, job.id, _MOST_EXPERIMENTS):
            found = results(session, experiment.id, None, None)
            rows = [row for row in found.rows if row.arm == arm and row.interval is not None and row.metric in TITLES]
            if rows:
                differences[experiment.name] = [(found.baseline, row) for row in rows]
        return cls(
            job,
            dataset,
            evaluated,
            pool,
            checkpoints.latest(session, job.id),
            checkpoint_work.latest_by_kind(session, job.id),
            differences,
            now,
        )

    @property
    def config(self) -> PretrainConfig:
        return PretrainConfig.from_stored(self.job.config)


def write(known: Known) -> str:
    """The card as Markdown."""
    metadata = yaml.safe_dump(_metadata(known), sort_keys=False, allow_unicode=True, width=100)
    parts = [
        f"# {plain(known.job.name)}",
        f"COLT Studio {installed_version()} wrote this card on {known.now:%Y-%m-%d} from its record of the run.",
        *_details(known),
        *_use(known),
        *_limits(known),
        *_training(known),
        *_evaluation(known),
        *_citation(known),
    ]
    return f"---\n{metadata}---\n\n" + "\n\n".join(parts) + "\n"


def _metadata(known: Known) -> dict[str, Any]:
    config = known.config
    kinds = [config.framework.kind, *([config.sampler.kind] if config.sampler.picks else []), config.backbone]
    metadata: dict[str, Any] = {
        "library_name": "colt-studio",
        "pipeline_tag": "image-feature-extraction",
        "tags": ["self-supervised-learning", "contrastive-learning", "long-tailed-recognition", *kinds],
    }
    found = [_result(known, row) for row in known.evaluations.values() if row.accuracy is not None]
    if found:
        metadata["model-index"] = [{"name": known.job.name, "results": found}]
    return metadata


def _result(known: Known, row: Evaluation) -> dict[str, Any]:
    title = _probe(row.kind)
    values = {"Accuracy": row.accuracy, "Balanced accuracy": row.balanced_accuracy}
    values |= {f"Accuracy, {TITLES[group]} classes": value for group, value in (row.group_accuracy or {}).items()}
    return {
        "task": {"type": "image-classification", "name": title},
        "dataset": {"type": _slug(known.evaluated.name), "name": known.evaluated.name, "split": "test"},
        "metrics": [
            {"type": "accuracy", "name": f"{name} ({title})", "value": value}
            for name, value in values.items()
            if value is not None
        ],
    }


def _details(known: Known) -> Iterator[str]:
    config, checkpoint = known.config, known.checkpoint
    lines = [
        f"**Encoder:** {config.backbone}, {config.width} channels in the first stage, stem `{config.stem}`. It makes "
        "features of an image, and has no classifier.",
        f"**Framework:** {config.framework.title}. {config.framework.summary()}",
        f"**Sampler:** {config.sampler.title}. {config.sampler.summary()}",
        f"**Run:** `{known.job.id}`, {known.job.status}, {known.job.epoch} of {known.job.epochs} epochs.",
        f"**Initial weights:** {_start(known.job)}.",
        "**License:** not recorded.",
    ]
    if checkpoint is not None and checkpoint.backbone_sha256:
        lines.append(f"**Weights:** `backbone.safetensors` with the sha256 `{checkpoint.backbone_sha256}`.")
    yield "## Model Details"
    yield "\n".join(f"- {line}" for line in lines)


def _start(job: Job) -> str:
    if not job.start_from:
        return "random"
    if "backbone_id" in job.start_from:
        return f"the backbone {plain(job.start_from['name'])}"
    start = job.start_from
    return f"a checkpoint of the job `{start['job_id']}` after epoch {start['epoch']}"


def _use(known: Known) -> Iterator[str]:
    config = known.config
    yield "## Uses"
    yield (
        "Its features serve to train a classifier of your own, to look for similar images, or to go on training. By "
        "itself it names no class."
    )
    yield "## How to Get Started with the Model"
    yield "\n".join(
        [
            "```python",
            "from safetensors.torch import load_file",
            "",
            "from colt_core.models import Backbone",
            "",
            f'net = Backbone("{config.backbone}", {config.width}, "{config.stem}")',
            'net.load_state_dict(load_file("backbone.safetensors"))',
            "```",
        ]
    )
    size = known.dataset.image_size
    yield (
        f"It takes RGB images of {size} × {size} px, in 0..1, less the mean {_numbers(MEAN)}, over the deviation "
        f"{_numbers(STD)}."
    )


def _limits(known: Known) -> Iterator[str]:
    job = known.job
    limits = ["The origin, the license and the consent of the images are not recorded. Ask who registered them."]
    if job.status != WorkStatus.SUCCEEDED:
        limits.append(f"The run is not complete: it was {job.status} after {job.epoch} of {job.epochs} epochs.")
    if not known.evaluations:
        limits.append("It has not been evaluated.")
    if not known.differences:
        limits.append(
            "The results are of one run with one seed. So they have no interval, and do not show that a setting helps."
        )
    for warnings in (job.warnings, known.dataset.warnings, known.pool and known.pool.warnings):
        limits += [plain(warning["detail"]) for warning in warnings or []]
    for row in known.evaluations.values():
        limits += [f"{_probe(row.kind)}: {plain(warning['detail'])}" for warning in row.warnings or []]
    yield "## Bias, Risks, and Limitations"
    yield "\n".join(f"- {limit}" for limit in limits)


def _training(known: Known) -> Iterator[str]:
    yield "## Training Details"
    yield "### Training Data"
    yield "\n".join(f"- {line}" for line in _data(known))
    yield "### Training Procedure"
    yield (
        f"Contrastive pretraining without labels: {known.job.epoch} epochs, {known.job.step} optimiser steps. "
        f"{_method(known)}"
    )
    yield "#### Training Hyperparameters"
    yield table(
        ["setting", "value"],
        [[f"`{name}`", plain(str(value))] for name, value in known.config.model_dump(mode="json").items()],
    )
    if (compute := known.job.compute) is not None:
        yield "#### Speeds, Sizes, Times"
        spent = ""
        if known.job.started_at and known.job.finished_at:
            hours = (known.job.finished_at - known.job.started_at).total_seconds() / 3600
            spent = f" From its first start to its end it took {hours:.2f} h, interruptions included."
        programs = ", ".join(f"{name} {number}" for name, number in (compute.get("versions") or {}).items())
        yield f"Device: {compute['device']}, {compute['precision']}.{spent}" + (f" {programs}." if programs else "")


def _data(known: Known) -> Iterator[str]:
    dataset, counts = known.dataset, known.dataset.class_counts
    images = (dataset.split_sizes or {}).get("train")
    size = f"{dataset.image_size} px"
    if counts:
        yield (
            f"Data set **{plain(dataset.name)}**: {images} training images of {size} in {len(counts)} classes, "
            f"{max(counts)} in the largest and {min(counts)} in the rarest. Training does not read the labels."
        )
        groups = dataset.groups or {}
        yield "Classes: " + ", ".join(f"{TITLES[name]} {len(groups.get(name, ()))}" for name in _GROUPS) + "."
    else:
        yield f"Data set **{plain(dataset.name)}**: {images} training images of {size}, without labels."
    if dataset.fingerprint:
        yield f"Fingerprint of its stored content: `{dataset.fingerprint}`."
    if known.pool is None:
        yield "No OOD pool."
        return
    yield f"OOD pool **{plain(known.pool.name)}**: {known.pool.num_samples} images of {size}, without labels."
    if known.pool.fingerprint:
        yield f"Fingerprint of its stored content: `{known.pool.fingerprint}`."


def _method(known: Known) -> str:
    sampler = known.config.sampler
    if not sampler.picks:
        return "No OOD images were used."
    return f"{sampler.title} chose images for the tail in sampling rounds; `rounds.json` and `picks.csv` have them."


def _evaluation(known: Known) -> Iterator[str]:
    yield "## Evaluation"
    yield "### Testing Data, Factors & Metrics"
    yield (
        f"The test part of the data set **{plain(known.evaluated.name)}**. Accuracies are in points. Many, Medium and "
        "Few are means over classes, grouped by their training images. Std is the population standard deviation of "
        "these three."
    )
    yield "### Results"
    if not known.evaluations:
        yield "None."
        return
    yield table(
        ["probe", "epoch", "test images", "All", "Balanced", *(TITLES[name] for name in _GROUPS), "Std"],
        [
            [
                _probe(row.kind),
                str(row.epoch),
                str(sum(row.test_counts)) if row.test_counts else _NOTHING,
                _points(row.accuracy),
                _points(row.balanced_accuracy),
                *(_points((row.group_accuracy or {}).get(name)) for name in _GROUPS),
                _points(row.group_std),
            ]
            for row in known.evaluations.values()
        ],
    )
    yield "Accuracies by class are in `evaluations-by-class.csv`."
    for name, rows in known.differences.items():
        yield (
            f"In the experiment **{plain(name)}**, the mean differences to {plain(rows[0][0])} over pairs of runs with "
            "the same seed, in points:"
        )
        yield table(
            ["metric", "pairs", "difference", "95 % interval", "verdict"], [_difference(row) for _, row in rows]
        )


def _difference(row: ResultRow) -> list[str]:
    assert row.interval is not None and row.difference is not None
    low, high = (f"{100 * end:+.2f}" for end in row.interval)
    return [
        TITLES[row.metric],
        str(row.pairs),
        f"{100 * row.difference:+.2f}",
        f"[{low}, {high}]",
        row.verdict or _NOTHING,
    ]


def _citation(known: Known) -> Iterator[str]:
    if known.config.sampler.kind == "colt":
        yield "## Citation"
        yield f"{_PAPER}."


def _probe(kind: str) -> str:
    return probes[kind].title if kind in probes else kind


def _points(value: float | None) -> str:
    return _NOTHING if value is None else f"{100 * value:.2f}"


def _numbers(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "data"
