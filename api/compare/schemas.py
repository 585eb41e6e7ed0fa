"""Response of `/compare`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from api.evaluations.schemas import EvaluationInfo
from api.jobs.schemas import Curve, JobInfo


class Comparison(BaseModel):
    """Jobs side by side. Every list has one entry per job, in the order of `jobs`."""

    jobs: list[JobInfo]
    differences: dict[str, list[Any]] = Field(
        description="Settings that differ between the jobs, with the value of each job."
    )
    evaluations: dict[str, list[EvaluationInfo | None]] = Field(
        description="By kind of probe: each job's latest succeeded evaluation, or null."
    )
    curves: dict[str, list[Curve | None]] = Field(description="By name: each job's curve, or null.")
