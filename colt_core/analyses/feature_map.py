"""Maps the feature space to two dimensions."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from colt_core.analyses.analysed import Analysed
from colt_core.analyses.kinds import FeatureMap, FeatureMapConfig
from colt_core.analyses.views import choose, embed_images
from colt_core.events import Float32


def analyze(settings: FeatureMapConfig, subject: Analysed) -> FeatureMap:
    """The analysis `feature_map`."""
    precision = subject.config.precision
    index = choose(len(subject.images), settings.num_samples, settings.seed)
    pool, picked = subject.picked(settings.num_ood, settings.seed)
    z_ND = embed_images(subject.encoder, subject.images, index, precision)
    if len(picked):
        z_ND = np.concatenate([z_ND, embed_images(subject.encoder, pool, picked, precision)])
    points = feature_map(z_ND, settings.method, settings.seed)
    label = subject.labels[index].tolist() if subject.has_labels else [None] * len(index)
    tailness = [None] * len(index) if subject.tailness is None else subject.tailness[index].tolist()
    return FeatureMap(
        index=[*index.tolist(), *picked.tolist()],
        x=points[:, 0].tolist(),
        y=points[:, 1].tolist(),
        label=[*label, *[-1] * len(picked)],
        tailness=[*tailness, *[None] * len(picked)],
    )


def feature_map(z_ND: Float32, method: Literal["tsne", "pca"] = "tsne", seed: int = 0) -> Float32:
    """Map embeddings to a plane by t-SNE or PCA.

    t-SNE is that of van der Maaten & Hinton 2008. PCA takes the first two principal components.

    Args:
        z_ND: embeddings, N >= 3.
        method: "tsne" starts from the principal components. Its perplexity is 30, or (N - 1) / 3 if
            that is less.

    Returns:
        (N, 2) float32; all 0 if all embeddings are equal.

    Raises:
        ValueError: for fewer than three embeddings.
    """
    if len(z_ND) < 3:
        raise ValueError(f"a map needs at least 3 images, not {len(z_ND)}")
    if (z_ND == z_ND[0]).all():
        return np.zeros((len(z_ND), 2), dtype=np.float32)
    if method == "pca":
        layout = PCA(n_components=2, random_state=seed)
    else:
        layout = TSNE(perplexity=min(30.0, (len(z_ND) - 1) / 3), init="pca", random_state=seed)
    points: Float32 = layout.fit_transform(z_ND).astype(np.float32)
    return points
