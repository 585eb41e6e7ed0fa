"""The inputs of samplers, and what every sampler does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

from colt_core.config import PretrainConfig
from colt_core.embeddings import Embeddings
from colt_core.events import Cluster, Float32, Int64, PickingStop
from colt_core.samplers.clustering import Clustering, cluster_embeddings


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
    budget: int  # K: how many images to pick; of a pool at most M
    id_z: Float32  # (N, D)
    ood_z: Embeddings  # (M, D); M is 0 for a sampler that uses no pool
    centers: Float32  # (C, D)
    clusters: tuple[Cluster, ...]  # C of them; their budgets sum to K
    measures: PoolMeasures | None = None  # given if the sampler needs them
    id_cluster: Int64 | None = None  # (N,) cluster of every ID image; a round gives it


@dataclass(frozen=True, slots=True)
class Selection:
    """What a sampler picked, in order, and why it stopped if that is less than the budget."""

    picks: Int64  # (K,) or, after a stop, fewer
    stop: PickingStop | None = None


class Sampler(ABC):
    """Picks images for the epochs until the next round.

    Its results are a function of its inputs: it keeps no random state.
    """

    needs_measures: ClassVar[bool] = False
    """Whether `select` reads `RoundInputs.measures`, which cost many forward passes."""

    @classmethod
    @abstractmethod
    def of(cls, config: PretrainConfig) -> Self:
        """The sampler of a configuration."""

    def cluster(self, id_z: Float32, num_clusters: int, restarts: int, seed: int) -> Clustering:
        """The regions of the feature space that get budgets. Default: `cluster_embeddings`."""
        return cluster_embeddings(id_z, num_clusters, restarts, seed)

    @abstractmethod
    def select(self, inputs: RoundInputs) -> Int64:
        """(K,) distinct pool indices, in the order picked.

        A sampler that `uses_pool` False returns indices of training images, which may repeat.
        """

    def selection(self, inputs: RoundInputs) -> Selection:
        """What a round records. Override it to pick less than the budget, and say why."""
        return Selection(self.select(inputs))
