"""What a sampler is given, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from colt_core.config import PretrainConfig
from colt_core.embeddings import Embeddings
from colt_core.events import Cluster, Float32, Int64


@dataclass(frozen=True, slots=True)
class PoolMeasures:
    """What MAK asks of the model beside its embeddings. `colt_core.measure_pool` makes it.

    Features are the backbone's, L2-normalised (a row of zeros, which has no direction, stays one).
    """

    id_features: Float32  # (N, F)
    ood_features: Float32  # (M, F)
    ood_loss: Float32  # (M,) contrastive loss of each pool image, averaged over pairs of augmented views


@dataclass(frozen=True, slots=True)
class RoundInputs:
    """What a sampling round found out, for a sampler to choose by. Embeddings and centres are L2-normalised."""

    round: int  # 1-based
    seed: int  # of the run
    budget: int  # K: how many OOD images to pick, 1..M
    id_z: Float32  # (N, D)
    ood_z: Embeddings  # (M, D)
    centers: Float32  # (C, D)
    clusters: tuple[Cluster, ...]  # C of them; their budgets sum to K
    measures: PoolMeasures | None = None  # where the sampler needs them


class Sampler(Protocol):
    """Picks OOD images for the epochs until the next round."""

    needs_measures: bool  # whether `select` reads `RoundInputs.measures`, which take many forward passes

    @classmethod
    def of(cls, config: PretrainConfig) -> Self:
        """The sampler that a configuration describes."""
        ...

    def select(self, inputs: RoundInputs) -> Int64:
        """(K,) pool indices in the order picked, none twice. A function of its inputs: it keeps no random state."""
        ...
