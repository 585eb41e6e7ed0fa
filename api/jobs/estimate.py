"""Responses: what a job is estimated to need, and what that is compared with."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, Field

from api.http.errors import FieldProblem
from colt_core.cost.memory import Memory
from colt_core.cost.run import RunCost

Whose = Literal["live", "earlier", "none"]
MEASURED = "Whether a worker has measured the activations of this encoder. Else they are those of its layers' shapes."


class ProcessMemory(BaseModel):
    """Bytes of one process. They add up, since its allocator keeps what a phase has used."""

    base: int = Field(description="Libraries; on a GPU its context.")
    weights: int = Field(description="The framework's state, its gradients and the optimiser's.")
    step: int = Field(description="Views, activations and similarities of a step.")
    checkpoint: int = Field(description="Copies while a checkpoint is written. 0 on a GPU: the host has them.")
    sampling: int = Field(description="A sampling round. 0: there is none.")
    evaluation: int = Field(description="The job's own evaluations. 0: there are none.")
    peak: int = Field(description="All of these together.")

    @classmethod
    def of(cls, memory: Memory) -> Self:
        return cls(**{name: getattr(memory, name) for name in cls.model_fields})


class Capacity(BaseModel):
    """What the estimate is compared with. Null: not known, so there is no limit."""

    workers: Whose = Field(
        description="`live`: the machine is a live worker's. `earlier`: no such worker is live, but one has reported "
        "it before. `none`: no worker has reported its devices yet."
    )
    cpu_cores: int | None
    memory_bytes: int | None
    gpu_bytes: int | None = Field(description="Of each GPU.")
    artifacts_bytes: int | None = Field(description="Room in the artifact store above the disk's floor.")
    database_bytes: int | None = Field(description="Room on the database's disk above its floor.")


class JobEstimate(BaseModel):
    """What a job is estimated to need over its whole run."""

    device: Literal["cpu", "cuda"]
    precision: Literal["fp32", "bf16"]
    measured: bool = Field(description=MEASURED)
    parameters: int
    processes: int
    memory: ProcessMemory
    memory_bytes: int = Field(description="Of all processes, on the device.")
    steps: int
    epochs: int
    checkpoints: int = Field(description="Written over the run.")
    checkpoint_bytes: int = Field(description="Of one, with the backbone beside it.")
    kept_bytes: int = Field(description="Of the checkpoints that are kept, while another one is written.")
    written_bytes: int = Field(description="Of all checkpoints.")
    rounds: int
    pool_scores: int = Field(description="Pool images times rounds.")
    metric_rows: int
    database_bytes: int = Field(description="Curves, tailness and rounds, with the files of their scores of the pool.")
    capacity: Capacity
    misfits: list[FieldProblem] = Field(description="Why the job cannot run. Such a job is refused.")
    large: list[FieldProblem] = Field(description="What needs `accept_cost`, and which setting makes it smaller.")

    @classmethod
    def of(
        cls,
        cost: RunCost,
        device: Literal["cpu", "cuda"],
        kept_bytes: int,
        database_bytes: int,
        capacity: Capacity,
    ) -> Self:
        return cls(
            device=device,
            precision=cost.precision,
            measured=cost.measured,
            parameters=cost.parameters,
            processes=cost.processes,
            memory=ProcessMemory.of(cost.memory),
            memory_bytes=cost.total_memory,
            steps=cost.steps,
            epochs=cost.epochs,
            checkpoints=cost.checkpoints,
            checkpoint_bytes=cost.checkpoint_bytes,
            kept_bytes=kept_bytes,
            written_bytes=cost.written_bytes,
            rounds=cost.rounds,
            pool_scores=cost.pool_values,
            metric_rows=cost.metrics,
            database_bytes=database_bytes,
            capacity=capacity,
            misfits=[],
            large=[],
        )
