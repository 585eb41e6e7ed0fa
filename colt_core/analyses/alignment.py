"""Alignment: how close the views of one image are (Wang & Isola 2020)."""

from __future__ import annotations

import numpy as np

from colt_core.analyses.analysed import Analysed
from colt_core.analyses.kinds import Alignment, AlignmentConfig
from colt_core.analyses.views import embed_views
from colt_core.events import Float32
from colt_core.probes.metrics import mean_of_known


def analyze(settings: AlignmentConfig, subject: Analysed) -> Alignment:
    """The analysis `alignment`."""
    by_class: list[float | None] = []
    for c in range(subject.num_classes):  # one by one, since the views of all classes may not fit into memory
        index = subject.of_classes((c,), settings.per_class, settings.seed)
        num_views = 2 * settings.num_pairs
        z_NVD = embed_views(subject.encoder, subject.images, index, num_views, subject.config, settings.seed)
        by_class.append(alignment(z_NVD[:, 0::2], z_NVD[:, 1::2]) if len(index) else None)
    group = {name: mean_of_known([by_class[c] for c in classes]) for name, classes in subject.groups.items()}
    overall = mean_of_known(by_class)
    assert overall is not None  # since a training part is never empty
    return Alignment(alignment=overall, by_class=by_class, group=group)


def alignment(view1: Float32, view2: Float32) -> float:
    """Mean |z_view1 - z_view2|^2 over pairs of views of the same image.

    It is the alignment of Wang & Isola 2020, with their alpha = 2.

    Args:
        view1, view2: (..., D) L2-normalised embeddings, the same images in the same order.

    Returns:
        0..4; 0 if both views of every pair are equal.

    Raises:
        ValueError: if the shapes differ, or there is no pair.
    """
    if view1.shape != view2.shape or view1.size == 0:
        raise ValueError(f"alignment needs pairs of views, not the shapes {view1.shape} and {view2.shape}")
    difference = view1.astype(np.float64) - view2
    return float(np.square(difference).sum(axis=-1).mean())
