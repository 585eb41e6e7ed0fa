"""The response of `/experiments/{id}/results`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.kinds.names import ProbeName
from colt_core.data.warnings import DataWarning
from colt_core.paired import Verdict

ResultFormat = Literal["json", "csv", "markdown", "latex"]
METRICS = "`all` (mean accuracy over classes), `many`, `medium`, `few`, `std` or `class/NAME`"


class ResultRow(BaseModel):
    """An arm's values of one metric, and how they differ from the baseline's."""

    arm: str
    metric: str = Field(description=f"{METRICS}. All are shares of 1.")
    n: int = Field(description="Runs of the arm that have a value. Of a backbone: data sets.")
    mean: float | None
    sd: float | None = Field(description="Standard deviation over these runs (n - 1). Null below two.")
    pairs: int | None = Field(description="Pairs of runs of the arm and the baseline. Null for the baseline.")
    difference: float | None = Field(description="Mean over the pairs: the arm less the baseline.")
    interval: tuple[float, float] | None = Field(description="95 % t interval of the difference.")
    no_interval: str | None = Field(description="Why there is no interval.")
    verdict: Verdict | None = Field(
        description="Null for the baseline, where all pairs differ by the same amount, and where the arms differ in "
        "steps or data: `warnings` says so."
    )


class RunValues(BaseModel):
    """The values of one run. Runs with the same data set and seed make a pair. A backbone's values
    are in the pair of every seed."""

    arm: str
    dataset_id: str
    dataset: str = Field(description="Its name.")
    seed: int | None = Field(description="Null: of a backbone, for every seed.")
    job_id: str | None = Field(description="Null: of a backbone.")
    evaluation_id: str
    steps: int | None = Field(description="Optimiser steps of the run. Null: of a backbone.")
    values: dict[str, float | None] = Field(description=f"By metric: {METRICS}.")


class MissingRun(BaseModel):
    """A run, or a part of its values, that is in no row."""

    arm: str
    dataset_id: str
    seed: int | None = Field(description="Null: of a backbone, for every seed.")
    job_id: str | None
    why: str
    metrics: list[str] | None = Field(description="Metrics that this run lacks and others have. Null: all.")


class Results(BaseModel):
    """What the arms of an experiment give, compared in pairs of runs with the same data set and
    seed."""

    evaluation: ProbeName
    baseline: str
    rows: list[ResultRow]
    pairs: list[RunValues]
    missing: list[MissingRun]
    warnings: list[DataWarning]
