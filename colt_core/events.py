"""What `pretrain` yields while it runs. Arrays are numpy, on the host; nothing here holds on to the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colt_core.snapshot import Snapshot

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first event of every call: where and how it computes, and which step it goes on from."""

    epoch: int  # finished epochs
    step: int
    device: str  # "cpu" or "cuda"
    precision: str  # "bf16" or "fp32"
    reason: str  # why this precision, for people
    threads: int  # of a CPU's operations


@dataclass(frozen=True, slots=True)
class StepDone:
    """One optimiser step. `step` counts from 1 over the whole run, and `steps` is how many the run will take."""

    epoch: int
    step: int
    steps: int
    loss: float
    contrastive_loss: float
    distribution_loss: float | None  # None when the batch holds no OOD sample or alpha is 0
    learning_rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class EpochDone:
    """An epoch (1-based) is over. `loss` is the mean over its steps."""

    epoch: int
    step: int
    loss: float
    tailness: Float32  # (N,) of every ID training image, after this epoch
    images: int  # ID and OOD images seen in this epoch
    seconds: float
    profile: dict[str, float]  # seconds of it by phase: data, forward_backward, tailness, round (of PHASES)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One k-means cluster of a sampling round."""

    size: int  # ID members
    tailness: float  # mean over its members
    weight: float  # softmax weight; the weights of a round sum to 1
    budget: int  # OOD images granted; the budgets of a round sum to K


@dataclass(frozen=True, slots=True)
class RoundDone:
    """One sampling round: n-th (1-based) of the run, at the start of `epoch`.

    Every sampler reports tailness, cluster and similarity of the whole pool, so that runs can be compared; only
    `selected` is the sampler's own.
    """

    round: int
    epoch: int
    step: int
    clusters: tuple[Cluster, ...]  # C of them
    id_cluster: Int64  # (N,) cluster of every ID training image
    selected: Int64  # (K,) pool indices in the order picked
    ood_tailness: Float32  # (M,)
    ood_cluster: Int64  # (M,) nearest centre
    ood_similarity: Float32  # (M,) cosine to that centre
    ood_embedded: int  # pool images that went through the encoder for this round
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckpointReady:
    """A state that `pretrain(resume_from=state)` goes on from bit for bit. Save it with `colt_core.save_checkpoint`."""

    epoch: int  # finished epochs
    step: int
    state: Snapshot


@dataclass(frozen=True, slots=True)
class Stopped:
    """`should_stop` said so. A CheckpointReady came just before."""

    epoch: int
    step: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The last epoch is over. A CheckpointReady came just before."""

    epoch: int
    step: int


Event = RunStarted | StepDone | EpochDone | RoundDone | CheckpointReady | Stopped | Finished
