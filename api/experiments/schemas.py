"""Requests and responses of `/experiments`, but for results."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.http.errors import FieldProblem
from api.jobs.schemas import PartialConfig, Progress, ResolvedConfig
from api.kinds.names import ProbeName
from api.registration import PRINTED, Name
from colt_core.probes.kinds import probes
from store.models import Experiment
from store.statuses import WorkStatus

MOST_ARMS, MOST_DATASETS, MOST_SEEDS = 50, 20, 100
MOST_RUNS = 1000  # jobs of one experiment
MOST_PROTOCOL = 20_000  # characters


def _different(values: list[Any]) -> list[Any]:
    if (twice := next((value for value in values if values.count(value) > 1), None)) is not None:
        raise ValueError(f"{twice!r:.70} is listed twice; list it once")
    return values


Id = Annotated[str, Field(min_length=1, max_length=64)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**31)]  # strict: true is no seed
Seeds = Annotated[list[Seed], Field(min_length=1, max_length=MOST_SEEDS), AfterValidator(_different)]
Protocol = Annotated[str, StringConstraints(max_length=MOST_PROTOCOL, pattern=rf"^(?:{PRINTED}|[\n\r\t])*$")]


class NewArm(BaseModel):
    """Settings to compare, or a registered backbone."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    config: PartialConfig = Field(
        default_factory=dict, description="Its own settings, which come before those of the experiment."
    )
    backbone_id: Id | None = Field(
        None,
        description="A backbone in place of settings. It is not trained: it has one evaluation for each data set and "
        "kind, whose values are in the pairs of every seed.",
    )
    ood_pool_id: Id | None = Field(None, description="Default: the experiment's.")
    train_on: list[Id] | None = Field(
        None,
        min_length=1,
        max_length=MOST_DATASETS,
        description="The data sets that it trains on instead: one for each of `dataset_ids`, or one for all. It is "
        "evaluated on `dataset_ids` all the same.",
    )


class NewExperiment(BaseModel):
    """Arms to compare on data sets with seeds: each combination becomes a job. A backbone has
    evaluations instead."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "does COLT help on my images",
                "template": "did-it-help",
                "dataset_ids": ["5f0c1e5e0c5b4d0f8a8e1d2c3b4a5968"],
                "ood_pool_id": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
                "config": {"preset": "cpu-small"},
                "seeds": [0, 1, 2],
            }
        },
    )

    name: Name
    template: str | None = Field(
        None, min_length=1, max_length=100, description="A bundled experiment, which has the arms. Else give `arms`."
    )
    dataset_ids: Annotated[list[Id], AfterValidator(_different)] = Field(
        min_length=1, max_length=MOST_DATASETS, description="Such as cuts of the same images, or orders of classes."
    )
    balanced_dataset_ids: list[Id] | None = Field(
        None,
        min_length=1,
        max_length=MOST_DATASETS,
        description="For templates with a control on balanced data: one for each of `dataset_ids`, or one for all. "
        "Register them from the same images with the long-tail profile `balanced`. One is refused whose classes have "
        "unequal counts or other names, or whose number of training images differs by more than a tenth.",
    )
    ood_pool_id: Id | None = None
    config: PartialConfig = Field(
        default_factory=dict,
        description="Settings of all arms, without `seed`. An arm whose framework or sampler does not read one is "
        "without it.",
    )
    arms: list[NewArm] | None = Field(None, min_length=2, max_length=MOST_ARMS)
    seeds: Seeds = [0, 1, 2]
    evaluations: Annotated[list[ProbeName], AfterValidator(_different)] | None = Field(
        None, min_length=1, max_length=len(probes), description="Default: those of the template, or `linear`."
    )
    baseline: Name | None = Field(None, description="Name of an arm. Default: the first.")
    protocol: Protocol = Field("", description="What was decided before the runs: text or YAML, kept as it is.")
    accept_cost: bool = Field(
        False, strict=True, description="Queue the jobs even if their estimates are large. What cannot run is refused."
    )


class MoreSeeds(BaseModel):
    """Seeds to add to an experiment."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"seeds": [3, 4]}})

    seeds: Seeds
    accept_cost: bool = Field(False, strict=True, description="As for a new experiment.")


class ExperimentInfo(BaseModel):
    """An experiment. Its status is that of its jobs, and of the evaluations of its backbones."""

    id: str
    name: str
    template: str | None
    status: WorkStatus = Field(
        description="`queued` until a job has begun; `running`, or `cancelling`, while one waits or runs. Then "
        "`failed` if one failed, else `cancelled` if one was cancelled or deleted, else `succeeded`."
    )
    finished: int = Field(description="Jobs, and evaluations of backbones, that have ended in any way.")
    total: int = Field(
        description="Jobs of all arms, data sets and seeds, and evaluations of backbones, with deleted ones."
    )
    dataset_ids: list[str]
    ood_pool_id: str | None
    seeds: list[int]
    evaluations: list[ProbeName]
    baseline: str
    created_at: dt.datetime

    @classmethod
    def of(cls, row: Experiment, **found: Any) -> Self:
        """Args: found: what the row does not have."""
        own = {name: getattr(row, name) for name in cls.model_fields if name not in found}
        return cls.model_validate(own | found)


class BackboneRunInfo(BaseModel):
    """A backbone on one data set with one kind of probe, for every seed."""

    dataset_id: str
    kind: ProbeName
    evaluation_id: str | None = Field(description="Null: the evaluation was deleted.")
    status: WorkStatus | None
    error: str | None


class ArmInfo(BaseModel):
    """Settings that are compared, or a backbone."""

    name: str
    config: ResolvedConfig | None = Field(description="Null: it is a backbone, which is not trained.")
    backbone_id: str | None
    evaluations: list[BackboneRunInfo] = Field(description="Of a backbone, by data set and kind. Else empty.")
    ood_pool_id: str | None
    train_on: list[str] | None = Field(description="Null: on the experiment's data sets.")


class RunInfo(BaseModel):
    """An arm on one data set with one seed."""

    arm: str
    dataset_id: str
    seed: int
    job_id: str | None = Field(description="Null: the job was deleted.")
    status: WorkStatus | None
    progress: Progress | None
    error: str | None


class ExperimentDetails(ExperimentInfo):
    """An experiment, with what only its own address shows."""

    protocol: str
    arms: list[ArmInfo]
    jobs: list[RunInfo] = Field(description="By arm, seed and data set.")
    eta_seconds: float | None = Field(
        description="Until all have ended, with as many jobs at once as now. Other work in the queue "
        "is not counted. Null: nothing is left, or nothing shows yet how long a step takes."
    )


class ArmEstimate(BaseModel):
    """What an arm is, and what it would need."""

    name: str
    config: ResolvedConfig | None = Field(description="Null: it is a backbone, which is not trained.")
    jobs: int
    steps: int = Field(description="Optimiser steps of all its jobs.")


class ExperimentEstimate(BaseModel):
    """What all jobs of an experiment are estimated to need."""

    arms: list[ArmEstimate]
    jobs: int
    steps: int
    memory_bytes: int = Field(description="Of the job that needs most.")
    stored_bytes: int = Field(description="Checkpoints that are kept, and rows, of all jobs.")
    large: list[FieldProblem] = Field(description="What needs `accept_cost`, and what makes it smaller.")
