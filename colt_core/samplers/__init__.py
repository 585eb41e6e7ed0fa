"""Samplers: which OOD images the next epochs train on beside the ID images (COLT, Bai et al. 2023)."""

from colt_core.config import PretrainConfig
from colt_core.samplers.clustering import Clustering, cluster_embeddings
from colt_core.samplers.colt import ColtSampler
from colt_core.samplers.mak import MakSampler
from colt_core.samplers.ood_tailness import OodScores, score_ood
from colt_core.samplers.protocol import PoolMeasures, RoundInputs, Sampler
from colt_core.samplers.random import RandomSampler
from colt_core.samplers.round import RoundFields, sampling_round


def sampler_for(config: PretrainConfig) -> Sampler | None:
    """The sampler that a configuration names; None for 'none', which has no rounds."""
    match config.sampler:
        case "colt":
            return ColtSampler(order=config.cluster_order)
        case "random":
            return RandomSampler(redraw=config.redraw)
        case "mak":
            return MakSampler(
                loss_weight=config.mak_loss_weight,
                candidates=config.mak_candidates,
                num_clusters=config.num_clusters,
                kmeans_restarts=config.kmeans_restarts,
            )
        case "none":
            return None


__all__ = [
    "Clustering",
    "ColtSampler",
    "MakSampler",
    "OodScores",
    "PoolMeasures",
    "RandomSampler",
    "RoundFields",
    "RoundInputs",
    "Sampler",
    "cluster_embeddings",
    "sampler_for",
    "sampling_round",
    "score_ood",
]
