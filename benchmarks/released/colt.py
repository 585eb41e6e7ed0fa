"""COLT (Bai et al., ICLR 2023): losses, gradients and tailness of batches, and sampling rounds."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.released.check import GRADIENT_TOLERANCE, SCORE_TOLERANCE, Arrays, Check, close, normalised, same
from colt_core.losses import distribution_contrastive, nt_xent, similarity_softmax
from colt_core.samplers.budget import budgeted_clusters
from colt_core.samplers.colt import nearest_unpicked
from colt_core.tailness import negative_tailness


def checks(arrays: Arrays) -> Iterator[Check]:
    """Check every quantity of every case `loss{c}_*` and `sample{c}_*`; there may be any number.

    Raises:
        ValueError: if a case lacks an array.
    """
    cases: dict[str, Arrays] = {}
    for key, array in arrays.items():
        if match := re.fullmatch(r"((?:loss|sample)\d+)_(\w+)", key):
            cases.setdefault(match[1], {})[match[2]] = array
    for name, case in cases.items():
        try:
            for check in loss_checks(case) if name.startswith("loss") else sample_checks(case):
                yield Check(f"{name} {check.quantity}", check.deviation, check.tolerance)
        except KeyError as missing:
            raise ValueError(f"case {name} lacks {missing}") from None


def loss_checks(case: Arrays) -> Iterator[Check]:
    """Check loss, loss by sample, gradient and tailness of a batch.

    The features have interleaved views and are not normalised.
    """
    features = torch.from_numpy(case["features"]).requires_grad_()
    temperature, top_k = float(case["temperature"]), float(case["top_k"])
    is_ood_B = torch.from_numpy(case["index"] == -1)
    z_2BD = torch.nn.functional.normalize(torch.cat([features[0::2], features[1::2]]), dim=1)
    shared, probability_2B2B = similarity_softmax(z_2BD, temperature)
    contrastive, per_sample_B = nt_xent(z_2BD, temperature, shared, probability_2B2B)
    loss = contrastive + float(case["alpha"]) * distribution_contrastive(z_2BD, is_ood_B, temperature, "all", shared)
    loss.backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    probability_B = -negative_tailness(z_2BD, temperature, top_k)
    for quantity, ours in (
        ("loss", loss),
        ("per_sample_ntxent", per_sample_B),
        ("topk_negative_probability", probability_B),
    ):
        # Deviations are relative to each number, but at least to a thousandth of the largest.
        yield close(quantity, ours.detach().numpy(), case[quantity], SCORE_TOLERANCE, floor=1e-3)
    # Gradients may cancel out to almost 0, so deviations are relative to the largest.
    yield close("grad", features.grad.numpy(), case["grad"], GRADIENT_TOLERANCE)


def sample_checks(case: Arrays) -> Iterator[Check]:
    """Check the picked OOD images, given the released run's clusters.

    The last cluster gets the remainder of the budgets.
    """
    clusters = budgeted_clusters(
        -case["topk_negative_probability"],
        case["cluster_labels"].astype(np.int64),
        int(case["num_clusters"]),
        int(case["budget"]),
        float(case["cluster_temperature"]),
        remainder="last",
    )
    granted = [cluster.budget for cluster in clusters]
    selected = nearest_unpicked(normalised(case["cluster_centers"]), granted, normalised(case["ood_features"]))
    yield same("selected", selected, case["selected"])
