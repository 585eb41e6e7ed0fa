"""Responses of the comparisons."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from api.evaluations.schemas import EvaluationInfo
from api.jobs.schemas import Curve, JobInfo
from api.kinds.names import ProbeName
from colt_core.data.warnings import DataWarning


class Difference(BaseModel):
    """One number of a setting, and by how much it differs from the baseline's. All are in 0..1.

    The interval is the 95 % t interval of the paired differences.
    """

    metric: str = Field(description="`all`, `many`, `medium`, `few`, `std` or `class/NAME`.")
    mean: float | None = Field(description="Over the setting's runs.")
    sd: float | None = Field(description="Of its runs (n - 1). Null below two.")
    n: int = Field(description="Pairs of runs with the same seed. Of the baseline: its runs.")
    difference: float | None = Field(description="Mean over the pairs, the setting's less the baseline's.")
    interval: list[float] | None = Field(
        min_length=2, max_length=2, description="[low, high]. Null below two pairs, and where all differ alike."
    )
    verdict: str | None = Field(
        description="`higher`, `lower`, `no clear difference` (the interval holds 0), `too few pairs` (below three) or "
        "`one run each: no interval`. Null of the baseline, where `no_verdict` says why, and where all pairs differ by "
        "an equal amount."
    )


class ComparedSetting(BaseModel):
    """Jobs that differ by their seed alone, beside those of the baseline."""

    job_ids: list[str]
    differs_in: list[str] = Field(
        description="What it differs in from the baseline: settings, `start_from`, and of its data `dataset`, "
        "`evaluated_on` and `ood_pool`. A framework or sampler counts once with the settings that it alone reads."
    )
    no_verdict: str | None = Field(description="Why its differences have no verdict. Null if they may have one.")
    missing: list[str] = Field(description="Its jobs without such an evaluation.")
    unpaired: list[str] = Field(
        description="Jobs with one that are in no pair: the other side has none of that seed, or an earlier job has it."
    )
    rows: list[Difference] = Field(description="Of all classes and of groups. Empty where test images differ.")
    classes: list[Difference] | None = Field(
        description="By class. Null where there would be more than 2,000 in all, or where classes differ."
    )


class AgainstBaseline(BaseModel):
    """What settings change, as one probe measures it."""

    baseline: str = Field(description="Id of the job.")
    evaluation: ProbeName | None = Field(description="The probe. Null if the baseline has no result yet.")
    settings: list[ComparedSetting] = Field(description="The baseline's own first.")


class JobComparison(AgainstBaseline):
    """One job and its baseline, each on its own."""

    warnings: list[DataWarning] = Field(description="What to know before drawing a conclusion from the comparison.")


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
        description="By kind of probe: each job's latest succeeded evaluation, or null. Of very many classes, what is "
        "given by class is null. The evaluation's own address has it."
    )
    curves: dict[str, list[Curve | None]] = Field(description="By name: each job's curve, or null.")
    against: AgainstBaseline | None = Field(description="Differences from the `baseline`. Null without one.")
