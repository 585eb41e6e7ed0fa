"""The inputs and the protocol of samplers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from colt_core.config import PretrainConfig
from colt_core.embeddings import Embeddings
from colt_core.events import Cluster, Float32, Int64


@dataclass(frozen=True, slots=True)
class PoolMeasures:
    """What MAK needs besides embeddings. `colt_core.measure_pool` computes it.

    Features are the backbone's, L2-normalised. A row of zeros stays zero.
    """

    id_features: Float32  # (N, F)
    ood_features: Float32  # (M, F)
    ood_loss: Float32  # (M,) contrastive loss of each pool image, averaged over pairs of augmented views


@dataclass(frozen=True, slots=True)
class RoundInputs:
    """What a sampler chooses by. Embeddings and centres are L2-normalised."""

    round: int  # 1-based
    seed: int  # the run's seed
    budget: int  # K: how many OOD images to pick, 1..M
    id_z: Float32  # (N, D)
    ood_z: Embeddings  # (M, D)
    centers: Float32  # (C, D)
    clusters: tuple[Cluster, ...]  # C of them; their budgets sum to K
    measures: PoolMeasures | None = None  # given if the sampler needs them


class Sampler(Protocol):
    """Picks OOD images for the epochs until the next round."""

    needs_measures: bool  # whether `select` reads `RoundInputs.measures`, which cost many forward passes

    @classmethod
    def of(cls, config: PretrainConfig) -> Self:
        """The sampler of a configuration."""
        ...

    def select(self, inputs: RoundInputs) -> Int64:
        """(K,) distinct pool indices, in the order picked.

        They are a function of the inputs: a sampler keeps no random state.
        """
        ...
