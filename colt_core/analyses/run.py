"""One analysis of one checkpoint, as asked for by an `AnalysisConfig`."""

from __future__ import annotations

from typing import Any

import numpy as np

from colt_core.analyses.alignment import alignment
from colt_core.analyses.analysed_run import AnalysedRun
from colt_core.analyses.cluster_minority import cluster_minority
from colt_core.analyses.config import (
    AlignmentConfig,
    AnalysisConfig,
    ClusterMinorityConfig,
    ConnectivityConfig,
    FeatureMapConfig,
    MisclassificationConfig,
    TailShareConfig,
    UniformityConfig,
    analysis_problem,
)
from colt_core.analyses.connectivity import connectivity
from colt_core.analyses.feature_map import feature_map
from colt_core.analyses.misclassification import misclassification_matrix
from colt_core.analyses.results import (
    Alignment,
    AnalysisResult,
    ClusterMinority,
    Connectivity,
    FeatureMap,
    Misclassification,
    TailShare,
    Uniformity,
)
from colt_core.analyses.tail_share import tail_share
from colt_core.analyses.uniformity import uniformity
from colt_core.analyses.views import UInt8, choose, embed_images, embed_views
from colt_core.data import ImageDataset, ImagePool
from colt_core.events import Float32, Int64
from colt_core.probes.evaluate import predict
from colt_core.probes.metrics import mean_of_known
from colt_core.samplers.clustering import cluster_embeddings


def analyze(
    config: AnalysisConfig, state: dict[str, Any], dataset: ImageDataset, pool: ImagePool | None = None
) -> AnalysisResult:
    """Make an analysis of a checkpoint.

    All that rests on embeddings is made in the space of the projection head's outputs, L2-normalised: that of tailness
    and of sampling rounds. Many and Few are the classes that the run's `group_thresholds` give. A function of its
    arguments: whatever is drawn comes from `config.seed`.

    Args:
        config: which analysis, for instance `UniformityConfig()`.
        state: a checkpoint, as `load_checkpoint` or a `CheckpointReady` event gives it.
        dataset: the run's data.
        pool: the run's pool, for the analyses that look at the OOD images picked (connectivity, feature_map).

    Raises:
        ValueError: if the data are not the run's, or the analysis cannot be made of them; says why.
    """
    run = AnalysedRun.of(state, dataset, pool)
    sizes = dataset.split_sizes
    if problem := analysis_problem(config, run.config, dataset.class_counts, sizes["probe"], sizes["val"]):
        raise ValueError(": ".join(problem))
    match config:
        case UniformityConfig():
            return _uniformity(config, run)
        case AlignmentConfig():
            return _alignment(config, run)
        case TailShareConfig():
            return _tail_share(config, run)
        case ClusterMinorityConfig():
            return _cluster_minority(config, run)
        case MisclassificationConfig():
            return _misclassification(config, run, dataset)
        case ConnectivityConfig():
            return _connectivity(config, run)
        case FeatureMapConfig():
            return _feature_map(config, run)


def _uniformity(config: UniformityConfig, run: AnalysedRun) -> Uniformity:
    index = choose(len(run.images), config.num_samples, config.seed)
    if len(index) < 2:
        raise ValueError("uniformity is over pairs, and there is only one training image")
    z_ND, labels = embed_images(run.framework, run.images, index, run.config.precision), run.labels[index]
    of_class = [z_ND[labels == c] for c in range(run.num_classes)]
    return Uniformity(
        uniformity=uniformity(z_ND),
        by_class=[uniformity(z) if len(z) > 1 else None for z in of_class],
        num_samples=len(index),
    )


def _alignment(config: AlignmentConfig, run: AnalysedRun) -> Alignment:
    by_class: list[float | None] = []
    for c in range(run.num_classes):  # one by one: the views of all classes may be more than memory holds
        index = run.of_classes((c,), config.per_class, config.seed)
        z_NVD = embed_views(run.framework, run.images, index, 2 * config.num_pairs, run.config, config.seed)
        by_class.append(alignment(z_NVD[:, 0::2], z_NVD[:, 1::2]) if len(index) else None)
    group = {name: mean_of_known([by_class[c] for c in classes]) for name, classes in run.groups.items()}
    overall = mean_of_known(by_class)
    assert overall is not None  # a training part is never empty
    return Alignment(alignment=overall, by_class=by_class, group=group)


def _tail_share(config: TailShareConfig, run: AnalysedRun) -> TailShare:
    return TailShare(
        gamma=list(config.gammas),
        phi_tail=tail_share(run.tailness, run.labels, run.groups.few, config.gammas),
        phi_head=tail_share(run.tailness, run.labels, run.groups.many, config.gammas),
    )


def _cluster_minority(config: ClusterMinorityConfig, run: AnalysedRun) -> ClusterMinority:
    z_ND = embed_images(run.framework, run.images, np.arange(len(run.images)), run.config.precision)
    num_clusters = config.num_clusters or run.config.num_clusters
    clusters = cluster_embeddings(z_ND, num_clusters, run.config.kmeans_restarts, config.seed)
    return cluster_minority(run.tailness, clusters.labels, run.labels, run.groups.few)


def _misclassification(config: MisclassificationConfig, run: AnalysedRun, dataset: ImageDataset) -> Misclassification:
    predictions = predict(
        run.framework.backbone,
        dataset,
        config.probe,
        flip_probability=run.config.flip_probability,
        precision=run.config.precision,
    )
    return misclassification_matrix(predictions, dataset.labels[dataset.parts["test"]], dataset.class_counts)


def _connectivity(config: ConnectivityConfig, run: AnalysedRun) -> Connectivity:
    def views(images: UInt8, index: Int64, purpose: str) -> Float32:
        return embed_views(run.framework, images, index, config.num_views, run.config, config.seed, purpose)

    pool, picked = run.picked(config.num_ood, config.seed)
    ood_z_MVD = views(pool, picked, "ood views") if len(picked) else None
    of_group = []
    for classes in (run.groups.many, run.groups.few):
        index = run.of_classes(classes, config.per_class, config.seed)
        id_z_NVD = views(run.images, index, "id views")
        of_group.append(connectivity(id_z_NVD, run.labels[index], config.thresholds, ood_z_MVD))
    return Connectivity(
        thresholds=list(config.thresholds), majority=of_group[0], minority=of_group[1], num_ood=len(picked)
    )


def _feature_map(config: FeatureMapConfig, run: AnalysedRun) -> FeatureMap:
    precision = run.config.precision
    index = choose(len(run.images), config.num_samples, config.seed)
    pool, picked = run.picked(config.num_ood, config.seed)
    z_ND = embed_images(run.framework, run.images, index, precision)
    if len(picked):
        z_ND = np.concatenate([z_ND, embed_images(run.framework, pool, picked, precision)])
    points = feature_map(z_ND, config.method, config.seed)
    return FeatureMap(
        index=[*index.tolist(), *picked.tolist()],
        x=points[:, 0].tolist(),
        y=points[:, 1].tolist(),
        label=[*run.labels[index].tolist(), *[-1] * len(picked)],
        tailness=[*run.tailness[index].tolist(), *[None] * len(picked)],
    )
