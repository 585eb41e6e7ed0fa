"""Response of `/compare`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from api.evaluations.schemas import EvaluationInfo
from api.jobs.schemas import Curve, JobInfo
from colt_core.data.warnings import DataWarning


class Comparison(BaseModel):
    """Jobs side by side. Every list has one entry per job, in the order of `jobs`."""

    jobs: list[JobInfo]
    differences: dict[str, list[Any]] = Field(
        description="Settings that differ between the jobs, with the value of each job. `start_from` counts as one."
    )
    same_data: bool = Field(
        description="Whether all jobs train and are evaluated on the same images, and those that pick OOD images pick "
        "from the same pool."
    )
    data_differences: dict[str, list[Any]] = Field(
        description="What differs in their data sets and pools, with the value of each job. Empty if `same_data`."
    )
    warnings: list[DataWarning] = Field(description="What to know before drawing a conclusion from the comparison.")
    evaluations: dict[str, list[EvaluationInfo | None]] = Field(
        description="By kind of probe: each job's latest succeeded evaluation, or null."
    )
    curves: dict[str, list[Curve | None]] = Field(description="By name: each job's curve, or null.")
