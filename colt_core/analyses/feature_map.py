"""Maps the feature space to two dimensions."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from colt_core.analyses.analysed import Analysed
from colt_core.analyses.kinds import FeatureMap, FeatureMapConfig
from colt_core.analyses.views import choose, embed_images
from colt_core.events import Float32, Int64
from colt_core.samplers.clustering import cluster_embeddings
from colt_core.samplers.search import most_similar

NEIGHBOURS = 10  # by which `error` is measured
_RESTARTS = 3  # of k-means


def analyze(settings: FeatureMapConfig, subject: Analysed) -> FeatureMap:
    """The analysis `feature_map`."""
    precision = subject.config.precision
    if settings.sampling == "even" and subject.has_labels:
        index = choose_evenly(subject.labels, settings.num_samples, settings.seed)
    else:
        index = choose(len(subject.images), settings.num_samples, settings.seed)
    pool, picked = subject.picked(settings.num_ood, settings.seed)
    z_ND = embed_images(subject.encoder, subject.images, index, precision)
    if len(picked):
        z_ND = np.concatenate([z_ND, embed_images(subject.encoder, pool, picked, precision)])
    points = feature_map(z_ND, settings.method, settings.seed)
    label = subject.labels[index].tolist() if subject.has_labels else [None] * len(index)
    tailness = [None] * len(index) if subject.tailness is None else subject.tailness[index].tolist()
    num_id, picked_too = len(index), [None] * len(picked)
    clusters = cluster_embeddings(
        z_ND, min(settings.num_clusters, num_id), _RESTARTS, settings.seed, fitted_on=np.arange(num_id)
    )
    error = None
    if subject.has_labels:
        error = [*neighbour_error(z_ND[:num_id], subject.labels[index]).tolist(), *picked_too]
    return FeatureMap(
        index=[*index.tolist(), *picked.tolist()],
        x=points[:, 0].tolist(),
        y=points[:, 1].tolist(),
        label=[*label, *[-1] * len(picked)],
        tailness=[*tailness, *picked_too],
        cluster=clusters.labels.tolist(),
        error=error,
    )


def neighbour_error(z_ND: Float32, labels_N: Int64) -> Float32:
    """Share of other classes among the nearest other embeddings of each, by cosine.

    Args:
        z_ND: L2-normalised embeddings, N >= 2.
        labels_N: their classes.

    Returns:
        (N,) in 0..1, over the NEIGHBOURS nearest, or all others if there are fewer.
    """
    _, near_Nk = most_similar(z_ND, z_ND, NEIGHBOURS + 1)
    itself_Nk = near_Nk == np.arange(len(z_ND))[:, None]
    # Among many equal embeddings, the image itself may be missing. Then the last one is left out.
    itself_Nk[~itself_Nk.any(axis=1), -1] = True
    others = near_Nk[~itself_Nk].reshape(len(z_ND), -1)
    wrong_N: Float32 = (labels_N[others] != labels_N[:, None]).mean(axis=1, dtype=np.float32)
    return wrong_N


def choose_evenly(labels_N: Int64, wanted: int, seed: int) -> Int64:
    """Draw `wanted` images, as many of each class; seeded and ascending. All if there are fewer.

    What a small class lacks, the larger ones give. Of two classes of which each has images left,
    none gets two more than the other.

    Args:
        labels_N: the class of each image, from 0.
        wanted: how many images.
        seed: of the draw within each class.
    """
    counts_C = np.bincount(labels_N)
    # The largest level up to which all can be filled, and one more for the first ones above it.
    level = next(level for level in range(wanted, -1, -1) if np.minimum(counts_C, level).sum() <= wanted)
    quota_C = np.minimum(counts_C, level)
    quota_C[np.flatnonzero(counts_C > level)[: wanted - int(quota_C.sum())]] += 1
    drawn = [np.empty(0, dtype=np.int64)]
    for c, quota in enumerate(quota_C.tolist()):
        members = np.flatnonzero(labels_N == c)
        drawn.append(members[choose(len(members), quota, seed, c)])
    return np.sort(np.concatenate(drawn))


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
