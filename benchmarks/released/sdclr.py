"""SDCLR (Jiang et al., ICML 2021): one training step of both branches from given weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.released.check import GRADIENT_TOLERANCE, SCORE_TOLERANCE, Arrays, Check, close, same
from colt_core.augment.normalize import normalize
from colt_core.config import PretrainConfig
from colt_core.frameworks.build import build_framework
from colt_core.losses import nt_xent

_BATCH_NORM = 0.1  # weight of a batch in the running statistics
_TWICE = 1 - (1 - _BATCH_NORM) ** 2  # after two updates with the same batch


def checks(arrays: Arrays) -> Iterator[Check]:
    """Check masks, loss, gradients, statistics, and features after the step.

    The released code runs the pruned branch twice in a step, so its statistics have two updates
    with the same batch. Ours have one; the other is added here.
    """
    model = build_framework(
        PretrainConfig.resolve(
            {
                "framework": "sdclr",
                "sampler": "none",
                "backbone": str(arrays["backbone"]),
                "width": int(arrays["width"]),
                "projection_dim": int(arrays["projection_dim"]),
                "prune_share": round(float(arrays["prune_share"]), 6),
            }
        ),
        len(arrays["views"]),
    )
    before = {key[5:]: torch.from_numpy(value) for key, value in arrays.items() if key.startswith("init.")}
    model.load_state_dict(before, strict=False)
    model.begin_epoch(1)
    for key, packed in _named(arrays, "mask."):
        mask = model.get_buffer(
            f"pruned_backbone.mask_{key.removeprefix('backbone.').replace('.', '_')[: -len('_weight')]}"
        )
        yield same(f"mask.{key}", np.packbits(mask.numpy()), packed)

    optimizer = torch.optim.SGD(model.parameters(), lr=float(arrays["learning_rate"]), momentum=0.9, weight_decay=1e-4)
    views_2B3SS = normalize(torch.from_numpy(np.concatenate([arrays["views"][:, 0], arrays["views"][:, 1]])))
    loss, _ = nt_xent(model.train()(views_2B3SS).z, float(arrays["temperature"]))
    loss.backward()  # type: ignore[no-untyped-call]
    yield close("loss", loss.detach().numpy(), arrays["loss"], SCORE_TOLERANCE)
    # The bias before a batch norm has the gradient 0, of which rounding is left.
    least = 1e-3 * max(float(np.abs(expected).max()) for _, expected in _named(arrays, "grad."))
    for key, expected in _named(arrays, "grad."):
        gradient = model.get_parameter(key).grad
        assert gradient is not None
        yield close(f"grad.{key}", gradient.numpy(), expected, GRADIENT_TOLERANCE, least=least)
    optimizer.step()
    for key, expected in _named(arrays, "after."):
        after, tolerance = model.get_buffer(key), SCORE_TOLERANCE
        if key.startswith("pruned_"):
            batch = (after - (1 - _BATCH_NORM) * before[key]) / _BATCH_NORM
            after, tolerance = (1 - _TWICE) * before[key] + _TWICE * batch, 1e-4
        yield close(f"after.{key}", after.numpy(), expected, tolerance)
    with torch.no_grad():
        features = model.eval().backbone(normalize(torch.from_numpy(arrays["eval_views"])))
    yield close("eval_features_after_step", features.numpy(), arrays["eval_features_after_step"], 1e-3)


def _named(arrays: Arrays, prefix: str) -> Iterator[tuple[str, np.ndarray]]:
    yield from ((key.removeprefix(prefix), value) for key, value in arrays.items() if key.startswith(prefix))
