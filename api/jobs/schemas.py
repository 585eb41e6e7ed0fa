"""Requests and responses of `/jobs`."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from api.jobs.estimate import JobEstimate
from api.kinds.names import ProbeName
from api.registration import PRINTED, Name
from colt_core.config import PretrainConfig, config_schema
from colt_core.data.warnings import DataWarning
from colt_core.paired import summary
from colt_core.probes.kinds import probes
from store.models import Job
from store.repositories.metrics import Series
from store.repositories.settings_groups import Group, Member
from store.statuses import WorkStatus

MOST_NOTES = 10_000  # characters


def _once_each(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


Order = Literal[
    "-created_at",
    "created_at",
    "-created",
    "created",
    "-name",
    "name",
    "-epochs",
    "epochs",
    "-loss",
    "loss",
    "-accuracy",
    "accuracy",
    "-few",
    "few",
    "-std",
    "std",
    "-status",
    "status",
]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=rf"^{PRINTED}+$")]
Tags = Annotated[list[Tag], Field(max_length=20), AfterValidator(_once_each)]
Notes = Annotated[str, StringConstraints(max_length=MOST_NOTES, pattern=rf"^(?:{PRINTED}|[\n\r\t])*$")]


def _config_schema(title: str, description: str, required: list[str]) -> WithJsonSchema:
    # The document itself defines the models that it refers to, as analyses and evaluations use them
    # too.
    schema = config_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs")
    return WithJsonSchema(schema | {"title": title, "description": description, "required": required})


# Clients send any part of it. The preset fills the rest, so defaults cannot be filled in here.
PartialConfig = Annotated[
    dict[str, Any],
    _config_schema(
        "PartialConfig",
        "Every setting is optional. Missing ones come from the `preset`, then from the defaults. A setting that only "
        "other frameworks or samplers read is refused.",
        required=[],
    ),
]
ResolvedConfig = Annotated[
    dict[str, Any],
    _config_schema(
        "ResolvedConfig",
        "All settings that the run reads, with their values.",
        required=list(PretrainConfig.model_fields),
    ),
]


class StartFrom(BaseModel):
    """Where a run gets its initial weights from: a checkpoint or a backbone."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"checkpoint_id": "2b3c4d5e6f708192a3b4c5d6e7f80910"}}
    )

    checkpoint_id: str | None = Field(None, min_length=1, max_length=64, description="A checkpoint of any job.")
    backbone_id: str | None = Field(None, min_length=1, max_length=64, description="A registered backbone.")

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.checkpoint_id is None) == (self.backbone_id is None):
            raise ValueError("name either a checkpoint_id or a backbone_id")
        return self

    @model_serializer(mode="wrap")
    def _without_the_other(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # An earlier version, which stored the digest of a request, knew no backbones.
        return {name: value for name, value in handler(self).items() if value is not None}


class StartedFrom(BaseModel):
    """The checkpoint whose weights a run began, or will begin, with."""

    checkpoint_id: str
    job_id: str = Field(description="The checkpoint's job. It may have been deleted since.")
    epoch: int = Field(description="Finished epochs in the checkpoint.")


class StartedFromBackbone(BaseModel):
    """The backbone whose weights a run began, or will begin, with."""

    backbone_id: str = Field(description="It may have been deleted since.")
    name: str


class NewJob(BaseModel):
    """A pretraining run to queue. Only `dataset_id` is required."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "digits with COLT",
                "tags": ["demo"],
                "dataset_id": "5f0c1e5e0c5b4d0f8a8e1d2c3b4a5968",
                "ood_pool_id": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
                "config": {"preset": "digits", "sampler": "colt", "seed": 1},
                "evaluations": ["linear", "knn"],
            }
        },
    )

    name: Name | None = Field(None, description="Default: made from framework, sampler and data set.")
    tags: Tags = []
    notes: Notes = Field("", description="Text for people, of several lines if need be.")
    dataset_id: str = Field(min_length=1, max_length=64)
    ood_pool_id: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="Only for a sampler that reads a pool: not for `none` and `idfill`.",
    )
    evaluation_dataset_id: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="A data set with labels and a test part to evaluate on, with images of the same size. Its own "
        "training counts group its classes. Default: `dataset_id`. Without labels there, name one or ask for no "
        "`evaluations`.",
    )
    config: PartialConfig = Field(default_factory=dict)
    start_from: StartFrom | None = Field(
        None,
        description="A new run that begins with the weights of a checkpoint or a backbone. Of a checkpoint it takes "
        "over the projection head too, if `projection_dim` is the same. `backbone`, `width` and `stem` must be its "
        "own. All else is new, and the data may be others.",
    )
    evaluations: Annotated[list[ProbeName], AfterValidator(_once_each)] = Field(
        ["linear"], max_length=len(probes), description="Probes to run on the last checkpoint."
    )
    accept_cost: bool = Field(
        False, strict=True, description="Queue the job even if its estimate is large. One that cannot run is refused."
    )


class JobChanges(BaseModel):
    """What people say about a job. What is missing or null stays as it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "baseline, seed 1", "tags": ["paper"], "notes": ""}}
    )

    name: Name | None = None
    tags: Tags | None = Field(None, description="Replaces all tags.")
    notes: Notes | None = None


class Progress(BaseModel):
    """How far the run is. `epoch` and `step` count finished ones. `steps` is 0 before the run
    begins."""

    epoch: int
    epochs: int
    step: int
    steps: int
    images_per_second: float | None
    eta_seconds: float | None

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(**{name: getattr(job, name) for name in cls.model_fields})


class Compute(BaseModel):
    """What a run computes on, as decided at its start if the configuration says `auto`."""

    device: Literal["cpu", "cuda"]
    precision: Literal["bf16", "fp32"]
    reason: str = Field(description="Why this precision was chosen.")
    threads: int = Field(description="Threads for CPU operations, in each process.")
    versions: dict[str, str] | None = Field(
        None, description="Versions of Python and of the packages that compute. Null: started by an earlier version."
    )


class JobInfo(BaseModel):
    """A job with its latest values."""

    id: str
    name: str
    tags: list[str]
    notes: str
    status: WorkStatus
    dataset_id: str
    ood_pool_id: str | None
    evaluation_dataset_id: str | None = Field(description="Null: evaluated on `dataset_id`.")
    config: ResolvedConfig
    start_from: StartedFrom | StartedFromBackbone | None = Field(description="Null: random weights.")
    beginning_job_id: str | None = Field(
        description="The job that trained its epochs before the first sampling round, which are equal bit for bit in "
        "both. It may have been deleted since. Null: it trained them itself."
    )
    evaluations: list[ProbeName]
    progress: Progress
    queue_position: int | None = Field(
        description="Queued jobs that begin before it. Null if it is not queued, and in lists."
    )
    compute: Compute | None = Field(description="As of the last start. Null before the first.")
    attempts: int = Field(description="Starts since it was last queued or resumed.")
    error: str | None
    warnings: list[DataWarning] = Field(description="What the user should know before trusting its numbers.")
    loss: float | None = Field(description="Mean loss of the last finished epoch.")
    accuracy: float | None = Field(description="Accuracy in the first of its `evaluations`, 0..1.")
    few: float | None = Field(description="Mean accuracy of the Few classes in the same evaluation.")
    std: float | None = Field(
        description="Population standard deviation of the means of Many, Medium and Few in the same evaluation. Null "
        "where a group is missing."
    )
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None

    @classmethod
    def of(cls, job: Job, **known: int | None) -> Self:
        """`known`: values that the row does not have."""
        own = {"queue_position": None, "warnings": job.warnings or [], "progress": Progress.of(job), **known}
        return cls.model_validate({name: getattr(job, name) for name in cls.model_fields if name not in own} | own)


class SeedMean(BaseModel):
    """One number over the seeds that have it."""

    n: int
    mean: float | None
    sd: float | None = Field(description="Of a sample (n - 1). Null below two.")


class SeedRun(BaseModel):
    """A job of a group."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    seed: int
    status: WorkStatus


class JobGroup(JobInfo):
    """The newest of the jobs that differ by their seed alone, and what all of them found."""

    runs: list[SeedRun] = Field(description="Its jobs that pass the filters, the newest first.")
    accuracies: SeedMean = Field(
        description="`accuracy` of those that succeeded. Of jobs with one seed, the newest counts."
    )
    fews: SeedMean = Field(description="`few` of the same jobs.")
    stds: SeedMean = Field(description="`std` of the same jobs: computed for each, then averaged.")

    @classmethod
    def of_group(cls, group: Group) -> Self:
        by_seed: dict[int, Member] = {}
        for member in group.members:
            if member.status == WorkStatus.SUCCEEDED and member.accuracy is not None:
                by_seed.setdefault(member.seed, member)
        return cls(
            **dict(JobInfo.of(group.newest)),
            runs=[SeedRun.model_validate(member) for member in group.members],
            accuracies=_mean({seed: member.accuracy for seed, member in by_seed.items()}),
            fews=_mean({seed: member.few for seed, member in by_seed.items()}),
            stds=_mean({seed: member.std for seed, member in by_seed.items()}),
        )


def _mean(values: dict[int, float | None]) -> SeedMean:
    return SeedMean(**asdict(summary(values)))


class JobDetails(JobInfo):
    """A job, with what only one job's own address shows."""

    estimate: JobEstimate | None = Field(description="Null: submitted to an earlier version.")
    last_event_id: int = Field(
        description="The last event that these values hold. As `Last-Event-ID`, the stream continues after it; 0: none."
    )


class JobForecast(JobEstimate):
    """What a job would need, and what its settings resolve to."""

    config: ResolvedConfig
    seconds: float | None = Field(
        description="From start to end. Each step takes as long as in the newest succeeded run that is like it: of "
        "these data, framework, sampler, backbone and batch size. Null if there is none."
    )


class Profile(BaseModel):
    """Where a run's time went so far, in seconds.

    After an interruption, the work since the last checkpoint is repeated. It counts once.
    """

    epochs: int = Field(description="Finished epochs; `data` to `other` are sums over them.")
    data: float = Field(description="Reading images and augmenting them.")
    forward_backward: float = Field(description="Forward and backward passes, losses and optimiser steps.")
    tailness: float = Field(description="Tracking the tailness of the training images.")
    round: float = Field(description="Sampling rounds, including forward passes over the pool.")
    other: float = Field(description="The rest of these epochs, such as recording and waiting.")
    evaluation: float | None = Field(
        description="All `evaluations` of the job. Null before the first one has finished."
    )


class Curve(BaseModel):
    """One metric over the steps of the run."""

    step: list[int]
    value: list[float]

    @classmethod
    def of(cls, curve: Series) -> Curve:
        return cls.model_construct(step=curve[0], value=curve[1])  # a check of each number would take most of the time
