"""What a target gets of a job at a time."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from store.models import Evaluation, JobEvent
from store.repositories.mirrors import Part
from store.settings import get_settings

Point = tuple[str, int, float, int]  # curve, step, value, milliseconds since 1970

_LONGEST_NAME = 100  # of a class
_OF_ROUND = ("num_selected", "budget", "overlap", "num_embedded", "seconds")


@dataclass(frozen=True, slots=True)
class Packet:
    """Everything here is JSON. What is not known is left out.

    Attributes:
        job_id, name: of the job.
        tags: what the job is, by name.
        config: its settings.
        begins_at: milliseconds since 1970.
        points: of the curves.
        documents: JSON by file name.
        status: its new status; None: unchanged.
        status_at: since when, in milliseconds.
        error: why it failed.
    """

    job_id: str
    name: str
    tags: dict[str, str]
    config: dict[str, Any]
    begins_at: int
    points: Sequence[Point]
    documents: dict[str, Any]
    status: str | None
    status_at: int
    error: str | None

    @classmethod
    def of(cls, part: Part) -> Packet:
        """All of a part of a job."""
        job = part.job
        began = _milliseconds(job.started_at or job.created_at)
        named = {
            "colt.job_id": job.id,
            "colt.job_name": job.name,
            "colt.tags": ", ".join(map(str, job.tags)),
            "colt.dataset_id": job.dataset_id,
            "colt.dataset": part.dataset.name,
            "colt.ood_pool_id": job.ood_pool_id,
            "colt.url": f"{get_settings().links_begin}/jobs/{job.id}",
        }
        points = [(name, step, value, _milliseconds(at)) for name, step, value, at in part.points]
        points += [point for event in part.rounds for point in _of_round(event)]
        points += [point for row in part.evaluations for point in _of_evaluation(row, part.class_names or ())]
        documents: dict[str, Any] = {"config.json": job.config} if part.is_first else {}
        for row in part.evaluations:
            documents[f"evaluations/epoch-{row.epoch}-{row.kind}-{row.id}.json"] = _document(row, part.class_names)
        return cls(
            job_id=job.id,
            name=job.name,
            tags={name: value for name, value in named.items() if value},
            config=job.config,
            begins_at=began,
            points=[point for point in points if math.isfinite(point[2])],
            documents=documents,
            status=None if part.status is None else part.status.data["status"],
            status_at=began if part.status is None else _milliseconds(part.status.created_at),
            error=None if part.status is None else part.status.data.get("error"),
        )

    def dumps(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Packet:
        return cls(**json.loads(text))


def legal_names(names: Sequence[str]) -> list[str]:
    """Names of classes that every target takes.

    Letters and digits of any script stay, and `_.-` and blanks inside.
    If some would be empty, or equal where case does not count, all begin with their number.
    """
    legal = [re.sub(r"[^\w.\- ]", "_", name)[:_LONGEST_NAME].strip(" .") for name in names]
    if all(legal) and len({name.casefold() for name in legal}) == len(legal):
        return legal
    return [f"{index}_{name}" for index, name in enumerate(legal)]


def _of_round(event: JobEvent) -> Iterator[Point]:
    for name in _OF_ROUND:
        value = event.data.get(name)
        if value is not None:
            yield f"round/{name}", event.data["step"], float(value), _milliseconds(event.created_at)


def _of_evaluation(row: Evaluation, class_names: Sequence[str]) -> Iterator[Point]:
    """Accuracies by epoch: All, Many, Medium, Few, Std, and each class."""
    assert row.epoch is not None  # it is of a job
    at = _milliseconds(row.finished_at or row.created_at)
    groups = row.group_accuracy or {}
    found = {"all": row.accuracy, **groups, "std": row.group_std, "balanced": row.balanced_accuracy}
    of_classes = row.per_class_accuracy or []
    named = legal_names(
        class_names if len(class_names) == len(of_classes) else [str(c) for c in range(len(of_classes))]
    )
    found |= {f"class/{name}": value for name, value in zip(named, of_classes, strict=True)}
    for name, value in found.items():
        if value is not None:
            yield f"{row.kind}/{name}", row.epoch, float(value), at


def _document(row: Evaluation, class_names: Sequence[str] | None) -> dict[str, Any]:
    names = ("id", "kind", "checkpoint_id", "epoch", "config", *Evaluation.FOUND, "result")
    return {name: getattr(row, name) for name in names} | {"class_names": class_names}


def _milliseconds(at: dt.datetime) -> int:
    return round(at.timestamp() * 1000)
