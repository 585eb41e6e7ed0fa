"""Tests whether tail-like clusters hold the tail (COLT, Bai et al. 2023).

Cluster tailness is plotted against minority share.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from colt_core.analyses.analysed_run import AnalysedRun
from colt_core.analyses.kinds import ClusterMinority, ClusterMinorityConfig
from colt_core.analyses.views import embed_images
from colt_core.events import Float32, Int64
from colt_core.samplers.clustering import cluster_embeddings

Float64 = NDArray[np.float64]


def analyze(settings: ClusterMinorityConfig, run: AnalysedRun) -> ClusterMinority:
    """The analysis `cluster_minority`."""
    z_ND = embed_images(run.encoder, run.images, np.arange(len(run.images)), run.config.precision)
    num_clusters = settings.num_clusters or run.config.num_clusters
    clusters = cluster_embeddings(z_ND, num_clusters, run.config.kmeans_restarts, settings.seed)
    return cluster_minority(run.tailness, clusters.labels, run.labels, run.groups.few)


def cluster_minority(
    tailness_N: Float32, cluster_N: Int64, labels_N: Int64, minority: Sequence[int]
) -> ClusterMinority:
    """One point for each cluster: x is its share of minority images, y its mean tailness.

    The result has a least-squares line through the points, and Pearson's r.

    Args:
        tailness_N: tailness of every training image.
        cluster_N: the cluster of each image, from 0 (see `colt_core.cluster_embeddings`). Empty
            clusters are left out.
        labels_N: the class of each image.
        minority: the classes of the minority.

    Raises:
        ValueError: if there is no image, or the arrays differ in length.
    """
    if not tailness_N.shape == cluster_N.shape == labels_N.shape or tailness_N.size == 0:
        raise ValueError(
            f"tailness {tailness_N.shape}, clusters {cluster_N.shape} and labels {labels_N.shape} differ in length"
        )
    sizes = np.bincount(cluster_N)
    occupied = sizes > 0
    sizes = sizes[occupied]
    share = np.bincount(cluster_N, weights=np.isin(labels_N, list(minority)))[occupied] / sizes
    tailness = np.bincount(cluster_N, weights=tailness_N)[occupied] / sizes
    slope = intercept = r = None
    if _varies(share):
        slope, intercept = (float(value) for value in np.polyfit(share, tailness, deg=1))
        r = float(np.corrcoef(share, tailness)[0, 1]) if _varies(tailness) else None
    return ClusterMinority(
        size=sizes.tolist(),
        minority_share=share.tolist(),
        tailness=tailness.tolist(),
        slope=slope,
        intercept=intercept,
        r=r,
    )


def _varies(values: Float64) -> bool:
    """Whether values differ by more than the rounding of float32, the type of scores."""
    return bool(np.ptp(values) > np.finfo(np.float32).eps * np.abs(values).max())
