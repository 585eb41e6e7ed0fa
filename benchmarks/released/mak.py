"""MAK (Jiang et al., NeurIPS 2021): losses and distances of a pool, candidates and picks."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.released.check import SCORE_TOLERANCE, Arrays, Check, close, normalised, same
from colt_core.samplers.mak import MakSampler, farthest_first
from colt_core.samplers.protocol import PoolMeasures
from colt_core.samplers.search import most_similar
from colt_core.training.measure import pairwise_loss


def checks(arrays: Arrays) -> Iterator[Check]:
    """Check E with the whole pool as one batch, D from the given centres, and both stages."""
    loss_M = pairwise_loss(torch.from_numpy(normalised(arrays["passes"])), float(arrays["temperature"])).numpy()
    yield close("loss", loss_M, arrays["loss"], SCORE_TOLERANCE)
    id_features, ood_features = (normalised(arrays[name]) for name in ("id_features", "ood_features"))
    distance_M = 1 - most_similar(ood_features, arrays["centers"], 1)[0][:, 0]
    yield close("distance", distance_M, arrays["distance"], SCORE_TOLERANCE)
    sampler, budget = MakSampler(float(arrays["loss_weight"])), int(arrays["budget"])
    measures = PoolMeasures(id_features, ood_features, loss_M)
    yield same("selected", sampler.pick(measures, distance_M, budget), arrays["selected"])
    nearest = farthest_first(ood_features[arrays["candidates"]], id_features, len(arrays["kcenter"]))
    yield same("kcenter", nearest, arrays["kcenter"])
