"""Which analysis to make of a checkpoint, and how. Imports no torch, so that the API can check a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from colt_core.config import PretrainConfig
from colt_core.data.groups import class_groups
from colt_core.probes.config import EvaluationConfig

Percent = Annotated[float, Field(gt=0, le=100)]


class _Analysis(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: int = Field(0, ge=0, lt=2**31)


class UniformityConfig(_Analysis):
    """log mean exp(-2 |z_a - z_b|^2) over pairs of ID embeddings (Wang & Isola 2020)."""

    kind: Literal["uniformity"] = "uniformity"
    num_samples: int = Field(5000, ge=2, le=50_000, description="ID images, drawn where there are more.")


class AlignmentConfig(_Analysis):
    """Mean |z_view1 - z_view2|^2 of two augmented views, by class (Wang & Isola 2020)."""

    kind: Literal["alignment"] = "alignment"
    per_class: int = Field(200, ge=1, le=10_000, description="ID images of each class, drawn where there are more.")
    num_pairs: int = Field(4, ge=1, le=64, description="Pairs of views of each image.")


class TailShareConfig(_Analysis):
    """phi_tail and phi_head: how much of the highest tailness the true tail and head make up."""

    kind: Literal["tail_share"] = "tail_share"
    gammas: tuple[Percent, ...] = Field(
        (1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100),
        min_length=1,
        max_length=100,
        description="Percent of the training images, those of highest tailness.",
    )


class ClusterMinorityConfig(_Analysis):
    """Tailness of k-means clusters against their share of images of the Few classes, with a linear fit."""

    kind: Literal["cluster_minority"] = "cluster_minority"
    num_clusters: int | None = Field(None, ge=2, le=1000, description="Default: the run's own C.")


class MisclassificationConfig(_Analysis):
    """Where the wrong predictions of a probe go, relative to balanced confusion."""

    kind: Literal["misclassification"] = "misclassification"
    probe: EvaluationConfig = EvaluationConfig()


class ConnectivityConfig(_Analysis):
    """Share of same-class pairs that the augmentation graph connects, without and with OOD images as bridges."""

    kind: Literal["connectivity"] = "connectivity"
    per_class: int = Field(50, ge=2, le=1000, description="ID images of each class, drawn where there are more.")
    num_ood: int = Field(1000, ge=1, le=20_000, description="Picked OOD images that may bridge, drawn likewise.")
    num_views: int = Field(8, ge=1, le=64, description="Augmented views of each image.")
    thresholds: tuple[Annotated[float, Field(gt=0, le=2)], ...] = Field(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        min_length=1,
        max_length=100,
        description="Distances between normalised embeddings (0..2) up to which two views are connected.",
    )


class FeatureMapConfig(_Analysis):
    """The feature space in two dimensions: ID images and the OOD images last picked."""

    kind: Literal["feature_map"] = "feature_map"
    method: Literal["tsne", "pca"] = "tsne"
    num_samples: int = Field(1000, ge=3, le=5000, description="ID images, drawn where there are more.")
    num_ood: int = Field(500, ge=0, le=5000, description="Picked OOD images, drawn likewise.")


AnalysisConfig = Annotated[
    UniformityConfig
    | AlignmentConfig
    | TailShareConfig
    | ClusterMinorityConfig
    | MisclassificationConfig
    | ConnectivityConfig
    | FeatureMapConfig,
    Field(discriminator="kind"),
]
AnalysisKind = Literal[
    "uniformity", "alignment", "tail_share", "cluster_minority", "misclassification", "connectivity", "feature_map"
]
analysis_config: TypeAdapter[AnalysisConfig] = TypeAdapter(AnalysisConfig)


def analysis_problem(
    config: AnalysisConfig, run: PretrainConfig, class_counts: Sequence[int], num_probe: int, num_val: int
) -> tuple[str, str] | None:
    """What keeps this analysis from being made of this run on data of these sizes.

    Args:
        run: the configuration of the run.
        class_counts: training images of each class.
        num_probe, num_val: images of the two parts.

    Returns:
        (field of the analysis, what to change); a field within another after a slash. None when it is possible.
    """
    num_train = sum(class_counts)
    if isinstance(config, MisclassificationConfig):
        problem = config.probe.problem(class_counts, num_probe, num_val)
        return None if problem is None else ("probe/shots", problem)
    if isinstance(config, ClusterMinorityConfig):
        num_clusters = config.num_clusters or run.num_clusters
        if num_clusters > num_train:
            return "num_clusters", f"{num_clusters} is more than the {num_train} training images"
        if not class_groups(class_counts, run.group_thresholds).few:
            return "kind", "no class counts as Few, so no cluster has a minority: see the run's group_thresholds"
    if isinstance(config, FeatureMapConfig) and num_train < 3:
        return "kind", f"a map needs at least 3 training images, and there are {num_train}"
    return None
