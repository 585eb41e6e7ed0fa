"""The events that `pretrain` yields.

Arrays are numpy arrays on the host. Events keep no reference to the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colt_core.data.warnings import DataWarning
from colt_core.snapshot import Snapshot

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first event of every call: where and how it computes, and the step it starts from."""

    epoch: int  # finished epochs
    step: int
    device: str  # "cpu" or "cuda"
    precision: str  # "bf16" or "fp32"
    reason: str  # why this precision, for people
    threads: int  # CPU threads of an operation


@dataclass(frozen=True, slots=True)
class StepDone:
    """One optimiser step.

    `step` counts from 1 over the whole run. `steps` is the number of the run's steps.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    contrastive_loss: float
    distribution_loss: float | None  # None if the batch has no OOD sample or alpha is 0
    learning_rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class EpochDone:
    """An epoch (1-based) has ended. `loss` is the mean over its steps."""

    epoch: int
    step: int
    loss: float
    tailness: Float32  # (N,) tailness of every ID training image after this epoch
    images: int  # ID and OOD images seen in this epoch
    seconds: float
    profile: dict[str, float]  # seconds by phase: data, forward_backward, tailness, round (PHASES)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One k-means cluster of a sampling round."""

    size: int  # ID members
    tailness: float | None  # mean over its members; None for an empty cluster
    weight: float  # softmax weight; the weights of a round sum to 1
    budget: int  # OOD images granted; the budgets of a round sum to K


@dataclass(frozen=True, slots=True)
class PickingStop:
    """Why a round picked less than its budget: the pool has nothing similar left.

    Similarities are cosines of picks to the centres they were picked for.
    """

    similarity: float  # mean of the last C picks
    reference: float  # mean of the 20th C picks, which the last ones fell below
    share: float  # how far: the setting `spread_stop`


@dataclass(frozen=True, slots=True)
class RoundDone:
    """A sampling round at the start of `epoch`. `round` counts from 1 over the run.

    Tailness, cluster and similarity of the whole pool are reported for every sampler, so that runs
    can be compared. A sampler that needs no pool leaves them empty, and `nearest` too.
    """

    round: int
    epoch: int
    step: int
    clusters: tuple[Cluster, ...]  # C of them
    id_cluster: Int64  # (N,) cluster of every ID training image
    selected: Int64  # (K,) indices in the order picked, of the pool or, if `repeats`, of the training part
    ood_tailness: Float32  # (M,)
    ood_cluster: Int64  # (M,) nearest centre
    ood_similarity: Float32  # (M,) cosine to that centre
    nearest: Int64  # (K, k) training images nearest to each OOD image picked, by cosine of embeddings
    nearest_similarity: Float32  # (K, k) their cosines, largest first
    ood_embedded: int  # pool images that went through the encoder for this round
    seconds: float
    repeats: bool = False  # whether the picks are training images, trained on again
    stop: PickingStop | None = None  # why fewer than K were picked; None if all were


@dataclass(frozen=True, slots=True)
class Warned:
    """After an epoch (1-based), the run was found to be in a state that the user should know.

    Each code comes once in a run. The run continues.
    """

    epoch: int
    step: int
    warning: DataWarning


@dataclass(frozen=True, slots=True)
class CheckpointReady:
    """A state to resume from: `pretrain(resume_from=state)` continues with bit-identical results.

    Save it with `colt_core.save_checkpoint`.
    """

    epoch: int  # finished epochs
    step: int
    state: Snapshot


@dataclass(frozen=True, slots=True)
class Stopped:
    """The run ended because of `should_stop`. A CheckpointReady came just before."""

    epoch: int
    step: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The last epoch has ended. A CheckpointReady came just before."""

    epoch: int
    step: int


Event = RunStarted | StepDone | EpochDone | RoundDone | Warned | CheckpointReady | Stopped | Finished
