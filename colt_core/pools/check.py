"""Checks a pool against a data set, before days of training on both."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn.functional import normalize

from colt_core.config import PretrainConfig
from colt_core.data.dataset import ImageDataset, ImagePool
from colt_core.data.groups import ClassGroups, class_groups
from colt_core.distributed import ALONE
from colt_core.embeddings import Embeddings, as_embeddings, as_pool_embeddings
from colt_core.events import Float32, Int64
from colt_core.models import Backbone
from colt_core.pools.budget_use import budget_use, mean_or_none
from colt_core.pools.duplicates import near_duplicates
from colt_core.pools.kinds import CLUSTERS_OF_BACKBONE, PoolCheckResult, PoolCheckSettings, Reach, Verdict
from colt_core.pools.nearness import Nearness, expected_reach, nearest_of_own_class, nearness
from colt_core.pools.pixels import look_like
from colt_core.pools.verdicts import enough, findings_of, overall
from colt_core.samplers.clustering import cluster_embeddings
from colt_core.samplers.kinds import RoundSettings
from colt_core.snapshot import Snapshot
from colt_core.tailness import TailnessTracker
from colt_core.training.checkpoint import load_framework
from colt_core.training.device import Compute
from colt_core.training.pool_embeddings import embed_pool


def check_pool(
    settings: PoolCheckSettings, state: Snapshot, dataset: ImageDataset, pool: ImagePool, *, trained_on_it: bool
) -> PoolCheckResult:
    """Check a pool with the encoder of a checkpoint.

    Embeddings are those of a sampling round. Clusters, their temperature and the thresholds of Few
    and Many are the run's.

    Args:
        settings: the budget.
        state: a checkpoint, from `load_checkpoint` or a `CheckpointReady` event.
        dataset: a labelled data set.
        pool: the pool.
        trained_on_it: whether the run trained on this data set, so that its tailness is known.

    Raises:
        ValueError: as `compare_pool`; or if tailness is not of this data set.
    """
    config = PretrainConfig.from_stored(state["config"])
    used_U = used_images(dataset)
    tailness = None
    if trained_on_it:
        tracker = TailnessTracker(len(state["tailness"]["score"]), config.tailness_momentum)
        tracker.load_state_dict(state["tailness"])
        tailness = tracker.scores().numpy()
    framework, _ = load_framework(state)
    Compute.of(config).module(framework)

    def embed(images: np.ndarray, index: Int64 | None) -> Embeddings:
        return embed_pool(framework, framework.embed, images, index, config.projection_dim, config.precision, ALONE)

    temperature = config.sampler.cluster_temperature if isinstance(config.sampler, RoundSettings) else 1.0
    return compare_pool(
        dataset,
        pool,
        as_embeddings(np.asarray(embed(dataset.images, used_U), dtype=np.float32), "the data set's embeddings"),
        embed(pool.images, None),
        settings.budget,
        num_clusters=config.num_clusters,
        tailness=tailness,
        groups=class_groups(dataset.class_counts, config.group_thresholds),
        restarts=config.kmeans_restarts,
        temperature=temperature,
        seed=config.seed,
    )


def check_pool_with_backbone(
    settings: PoolCheckSettings, backbone: Backbone, dataset: ImageDataset, pool: ImagePool
) -> PoolCheckResult:
    """Check a pool by the L2-normalised features of any backbone.

    No run says how, so there are CLUSTERS_OF_BACKBONE clusters, and rare classes count as tail.

    Args:
        settings: the budget.
        backbone: on any device.
        dataset: a labelled data set.
        pool: the pool.

    Raises:
        ValueError: as `compare_pool`; or if features are not finite.
    """

    def features(images: Tensor) -> Tensor:
        return normalize(backbone(images).float(), dim=1)

    def embed(images: np.ndarray, index: Int64 | None) -> Embeddings:
        return embed_pool(backbone, features, images, index, backbone.num_features, "auto", ALONE)

    return compare_pool(
        dataset,
        pool,
        as_embeddings(np.asarray(embed(dataset.images, used_images(dataset)), np.float32), "the data set's features"),
        embed(pool.images, None),
        settings.budget,
        num_clusters=CLUSTERS_OF_BACKBONE,
    )


def used_images(dataset: ImageDataset) -> Int64:
    """Ascending indices of the images that are in any part. The training part comes first."""
    return np.unique(np.concatenate(list(dataset.parts.values())))


def compare_pool(
    dataset: ImageDataset,
    pool: ImagePool,
    used_z: Float32,
    pool_z: Embeddings,
    budget: int,
    *,
    num_clusters: int = 10,
    tailness: Float32 | None = None,
    groups: ClassGroups | None = None,
    restarts: int = 10,
    temperature: float = 1.0,
    seed: int = 0,
) -> PoolCheckResult:
    """Compare a pool with a data set by features of any encoder.

    All limits come from the data: how near training images are to each other, and what they are
    like on pixels. `colt_core.pools.verdicts` says what makes a pool useful, useless or a leak.

    Args:
        dataset: a labelled data set, with at least two training images.
        pool: the pool, of the same image size.
        used_z: (U, D) L2-normalised features of `used_images(dataset)`.
        pool_z: (M, D) of the pool. A float16 memory map is read in blocks.
        budget: K, at most M.
        num_clusters: C, at most the number of training images.
        tailness: (N,) of the training images; None: rare classes count as tail.
        groups: Many, Medium and Few; None: thirds of the classes.
        restarts: of k-means.
        temperature: of the clusters' weights.
        seed: of k-means.

    Raises:
        ValueError: if sizes do not fit together, or features are not normalised.
    """
    used_U, labels_N = used_images(dataset), dataset.labels[dataset.parts["train"]]
    used_z, pool_z = as_embeddings(used_z, "used_z"), as_pool_embeddings(pool_z, "pool_z")
    for name, found, wanted in (("used_z", used_z, len(used_U)), ("pool_z", pool_z, len(pool))):
        if len(found) != wanted:
            raise ValueError(f"{name} has {len(found)} rows for {wanted} images")
    if dataset.image_size != pool.image_size:
        raise ValueError(f"images of the data set have {dataset.image_size} px, of the pool {pool.image_size} px")
    if not 1 <= budget <= len(pool):
        raise ValueError(f"budget must be in 1..{len(pool)}, the images of the pool, not {budget}")
    if tailness is not None and tailness.shape != labels_N.shape:
        raise ValueError(f"tailness has {len(tailness)} scores for {len(labels_N)} training images")
    groups = groups or class_groups(dataset.class_counts)
    train_z = used_z[: len(labels_N)]
    near = nearness(train_z, pool_z)
    in_distribution_M = near.within & look_like(pool.images, dataset.part("train")[0])
    duplicates = near_duplicates(dataset, pool, used_U, used_z, pool_z, near.to_next)
    use = budget_use(
        near,
        cluster_embeddings(train_z, num_clusters, restarts, seed),
        train_z,
        pool_z,
        labels_N,
        groups.few or groups.many,
        budget,
        tailness,
        temperature,
        in_distribution_M,
        duplicates.found,
    )
    reach = _reach(near, train_z, labels_N, groups, dataset.num_classes, len(pool))
    count, summary = int(in_distribution_M.sum()), duplicates.summary(dataset)
    findings = findings_of(dataset, len(pool), count, reach, summary, use)
    return PoolCheckResult(
        verdict=overall(findings),
        findings=findings,
        num_train=len(labels_N),
        num_pool=len(pool),
        in_distribution=count,
        reach=reach,
        near_duplicates=summary,
        use=use,
    )


def _reach(
    near: Nearness, train_z: Float32, labels_N: Int64, groups: ClassGroups, num_classes: int, num_pool: int
) -> Reach:
    expected, reached_N = expected_reach(len(labels_N), num_pool), near.reached
    own_N = nearest_of_own_class(train_z, labels_N)
    of_class = [labels_N == c for c in range(num_classes)]
    reached = [mean_or_none(reached_N[members]) for members in of_class]

    def verdict(share: float | None) -> Verdict | None:
        return None if share is None else "useful" if enough(share, expected) else "useless"

    return Reach(
        expected=expected,
        group={name: mean_or_none(reached_N[np.isin(labels_N, classes)]) for name, classes in groups.items()},
        reached=reached,
        own_similarity=[_median(own_N[members]) for members in of_class],
        pool_similarity=[_median(near.to_pool[members]) for members in of_class],
        verdict=[verdict(share) for share in reached],
    )


def _median(values: Float32) -> float | None:
    """The median; None of no values, or if they are not known."""
    return float(np.median(values)) if len(values) and not np.isnan(values[0]) else None
