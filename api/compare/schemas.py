"""What `/compare` answers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from api.evaluations.schemas import EvaluationInfo
from api.jobs.schemas import Curve, JobInfo


class Comparison(BaseModel):
    """Jobs side by side. Every list has one entry a job, in the order of `jobs`."""

    jobs: list[JobInfo]
    differences: dict[str, list[Any]] = Field(description="Settings that are not the same in all, and their values.")
    evaluations: dict[str, list[EvaluationInfo | None]] = Field(
        description="By kind of probe: each job's latest that succeeded; null where it has none."
    )
    curves: dict[str, list[Curve | None]] = Field(description="By name; null where a job has no such curve.")
