"""How near the views of one image lie to each other (Wang & Isola 2020)."""

from __future__ import annotations

import numpy as np

from colt_core.events import Float32


def alignment(view1: Float32, view2: Float32) -> float:
    """Mean |z_view1 - z_view2|^2 over pairs of views of the same image (Wang & Isola 2020, with their alpha = 2).

    Args:
        view1, view2: (..., D) L2-normalised embeddings, the same images in the same order.

    Returns:
        0..4; 0 where every pair is one point.

    Raises:
        ValueError: if the shapes differ, or there is no pair.
    """
    if view1.shape != view2.shape or view1.size == 0:
        raise ValueError(f"alignment needs views in pairs, not of the shapes {view1.shape} and {view2.shape}")
    difference = view1.astype(np.float64) - view2
    return float(np.square(difference).sum(axis=-1).mean())
