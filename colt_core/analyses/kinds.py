"""The kinds of analyses: their settings and results. Imports no torch.

This module imports no torch, so that the API can check a request.

To add an analysis, write a function with the protocol `Implementation` of `run.py` in a new file.
Then add its result and register its settings here.

Results are plain numbers, ready for a plot. Lists of one result that belong together have the same
length. Embeddings of a checkpoint are L2-normalised outputs of the projection head, as for tailness
and sampling rounds. Those of a backbone are its L2-normalised features. Numbers of these two spaces
do not compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from colt_core.config import PretrainConfig
from colt_core.data.groups import class_groups
from colt_core.kinds import Registry
from colt_core.probes.kinds import LinearProbeConfig, ProbeSettings
from colt_core.tagged import TaggedSettings

Need = Literal["images", "pool"]
# Settings of a run that make the views of an image.
AUGMENTATION = (
    *("min_crop_scale", "flip_probability", "color_jitter", "color_jitter_probability"),
    *("grayscale_probability", "blur_probability", "augmentation"),
)

analyses: Registry[AnalysisSettings] = Registry("analysis")


class AnalysisResult(BaseModel):
    """The result of an analysis. Subclasses have a field `kind`, the name of the analysis."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AnalysisSettings(TaggedSettings):
    """Settings of an analysis of any registered kind.

    Attributes:
        needs: what it reads besides checkpoint and labels: `images` of the data set, or the OOD
            `pool`.
        tests: whether it predicts the test part, which not every data set has.
        without_labels: whether it also runs on images without labels.
        of_backbones: whether it also runs on a backbone that no run trained. It then takes any
            `Analysed`, else an `AnalysedRun`.
        reads: which settings of the run it reads. Of a backbone, their defaults apply.
        result: the model of its result.
    """

    registry = analyses
    without_labels: ClassVar[bool] = False
    needs: ClassVar[frozenset[Need]]
    tests: ClassVar[bool] = False
    of_backbones: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ("precision",)
    result: ClassVar[type[AnalysisResult]]

    if TYPE_CHECKING:  # this class takes the settings of every kind

        def __init__(self, **values: Any) -> None: ...

    seed: int = Field(0, ge=0, lt=2**31)

    def problem(
        self, run: PretrainConfig, class_counts: Sequence[int], probe_counts: Sequence[int], num_val: int
    ) -> tuple[str, str] | None:
        """The problem of this analysis with this run and data of these sizes, if any.

        Args:
            run: the configuration of the run. Of a backbone, the defaults.
            class_counts: training images of each class. Without labels, all are of one class.
            probe_counts: probe images of each class.
            num_val: images of the val part.

        Returns:
            (setting, what to change), or None if the analysis can run. A nested setting is written
            with a slash, as in `probe/shots`.
        """
        return None

    @classmethod
    def assumed(cls) -> dict[str, Any]:
        """The settings that apply to a backbone in place of those of a run, ready for JSON."""
        defaults = PretrainConfig().model_dump(mode="json")
        return {name: defaults[name] for name in cls.reads}


AnalysisConfig = AnalysisSettings  # its public name


class TailShare(AnalysisResult):
    kind: Literal["tail_share"] = "tail_share"
    gamma: list[float] = Field(description="Percent of the training images.")
    phi_tail: list[float | None] = Field(description="1 is chance level. Null without a Few class.")
    phi_head: list[float | None] = Field(description="1 is chance level. Null without a Many class.")


@analyses.register
class TailShareConfig(AnalysisSettings):
    """Whether the images of highest tailness come from the tail classes.

    phi_tail and phi_head are the shares of tail and head among them, relative to their shares among
    all images.
    """

    kind = "tail_share"
    title = "Tail share"
    implementation = "colt_core.analyses.tail_share:analyze"
    needs = frozenset[Need]()
    result = TailShare

    gammas: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field(
        (1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100),
        min_length=1,
        max_length=100,
        description="Percentages of the training images, taken by highest tailness.",
    )


class ClusterMinority(AnalysisResult):
    kind: Literal["cluster_minority"] = "cluster_minority"
    size: list[int]
    minority_share: list[float] = Field(description="Share of a cluster's images in the Few classes, 0..1.")
    tailness: list[float] = Field(description="Mean tailness of the cluster's images.")
    slope: float | None = Field(
        description="Least-squares slope of tailness over minority share. Null if all shares are equal."
    )
    intercept: float | None
    r: float | None = Field(description="Pearson's correlation. Null if shares or tailness do not vary.")


@analyses.register
class ClusterMinorityConfig(AnalysisSettings):
    """Whether clusters of high tailness are those that hold the tail classes.

    Plots tailness of k-means clusters against their share of images in the Few classes, with a
    linear fit.
    """

    kind = "cluster_minority"
    title = "Clusters"
    implementation = "colt_core.analyses.cluster_minority:analyze"
    needs = frozenset[Need]({"images"})
    result = ClusterMinority

    num_clusters: int | None = Field(None, ge=2, le=1000, description="Default: the run's num_clusters.")

    def problem(
        self, run: PretrainConfig, class_counts: Sequence[int], probe_counts: Sequence[int], num_val: int
    ) -> tuple[str, str] | None:
        num_clusters, num_train = self.num_clusters or run.num_clusters, sum(class_counts)
        if num_clusters > num_train:
            return "num_clusters", f"{num_clusters} is more than the {num_train} training images"
        if not class_groups(class_counts, run.group_thresholds).few:
            return "kind", "no class counts as Few, so there is no minority: see the run's group_thresholds"
        return None


class Misclassification(AnalysisResult):
    kind: Literal["misclassification"] = "misclassification"
    counts: list[list[int]] = Field(description="C x C: test images by true and predicted class.")
    normalized: list[list[float | None]] = Field(
        description="C x C: wrong predictions relative to balanced confusion. Null on the diagonal."
    )
    order: list[int] = Field(description="Classes by training images, largest first.")


@analyses.register
class MisclassificationConfig(AnalysisSettings):
    """Which classes a probe confuses.

    Counts a probe's wrong predictions by class, relative to balanced confusion.
    """

    kind = "misclassification"
    title = "Confusion"
    implementation = "colt_core.analyses.misclassification:analyze"
    needs = frozenset[Need]({"images"})
    tests = True
    of_backbones = True
    reads = ("precision", "flip_probability")
    result = Misclassification

    probe: ProbeSettings = LinearProbeConfig()

    def problem(
        self, run: PretrainConfig, class_counts: Sequence[int], probe_counts: Sequence[int], num_val: int
    ) -> tuple[str, str] | None:
        problem = self.probe.problem(class_counts, probe_counts, num_val)
        return None if problem is None else (f"probe/{problem[0]}", problem[1])


class ConnectivityOf(BaseModel):
    """One group of classes. Shares are null if it has no pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    without_ood: list[float | None]
    with_ood: list[float | None]
    num_pairs: int


class Connectivity(AnalysisResult):
    kind: Literal["connectivity"] = "connectivity"
    thresholds: list[float]
    majority: ConnectivityOf = Field(description="Pairs within the Many classes.")
    minority: ConnectivityOf = Field(description="Pairs within the Few classes.")
    num_ood: int = Field(description="OOD images that may be bridges. 0 if no run has picked any.")


@analyses.register
class ConnectivityConfig(AnalysisSettings):
    """Share of same-class image pairs that augmentation connects, without and with OOD bridges.

    Bridges are the OOD images of the last round. A bridge connects two images if both have a view
    near one of its views.
    """

    kind = "connectivity"
    title = "Connectivity"
    implementation = "colt_core.analyses.connectivity:analyze"
    needs = frozenset[Need]({"images", "pool"})
    of_backbones = True
    reads = ("precision", "group_thresholds", *AUGMENTATION)
    result = Connectivity

    per_class: int = Field(50, ge=2, le=1000, description="ID images of each class; a random sample if there are more.")
    num_ood: int = Field(
        1000, ge=1, le=20_000, description="Picked OOD images that may be bridges; a random sample if there are more."
    )
    num_views: int = Field(8, ge=1, le=64, description="Augmented views of each image.")
    thresholds: tuple[Annotated[float, Field(gt=0, le=2)], ...] = Field(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        min_length=1,
        max_length=100,
        description="Largest distances between normalised embeddings (0..2) at which two views are connected.",
    )


class FeatureMap(AnalysisResult):
    kind: Literal["feature_map"] = "feature_map"
    index: list[int] = Field(
        description="Position of each image: ID images in the training part, then OOD images in the pool."
    )
    x: list[float]
    y: list[float]
    label: list[int | None] = Field(
        description="Class of an ID image; null if the data set has no labels. -1 for an OOD image."
    )
    tailness: list[float | None] = Field(
        description="Tailness of an ID image; null for an OOD image, and without a run."
    )
    cluster: list[int] | None = Field(
        None,
        description="Cluster of the embedding among `num_clusters` of the map's ID images, which is not one of a "
        "sampling round. Null: made by an earlier version.",
    )
    error: list[float | None] | None = Field(
        None,
        description="Share of other classes among the 10 ID images of the map with the nearest embeddings. Null for "
        "an OOD image. Null as a whole without labels, or if an earlier version made it.",
    )


MOST_OF_TSNE = 5000  # ID images; t-SNE of 5,000 and as many OOD images takes a minute


@analyses.register
class FeatureMapConfig(AnalysisSettings):
    """The feature space in two dimensions: training images and the last picked OOD images."""

    kind = "feature_map"
    title = "Feature map"
    implementation = "colt_core.analyses.feature_map:analyze"
    needs = frozenset[Need]({"images", "pool"})
    without_labels = True
    of_backbones = True
    result = FeatureMap

    method: Literal["tsne", "pca"] = "tsne"
    num_samples: int = Field(
        1000, ge=3, le=50_000, description=f"ID images; a sample if there are more. At most {MOST_OF_TSNE:,} by t-SNE."
    )
    sampling: Literal["even", "random"] = Field(
        "even",
        description="Which ID images. even: as many of each class, as far as it has them. random: any, as without "
        "labels.",
    )
    num_ood: int = Field(500, ge=0, le=5000, description="Picked OOD images; a random sample if there are more.")
    num_clusters: int = Field(10, ge=1, le=1000, description="Clusters that a map is coloured by; fewer of few images.")

    def problem(
        self, run: PretrainConfig, class_counts: Sequence[int], probe_counts: Sequence[int], num_val: int
    ) -> tuple[str, str] | None:
        if self.method == "tsne" and self.num_samples > MOST_OF_TSNE:
            return "num_samples", f"t-SNE takes at most {MOST_OF_TSNE:,} images: choose fewer, or method 'pca'"
        if (num_train := sum(class_counts)) < 3:
            return "kind", f"a map needs at least 3 training images, and there are {num_train}"
        return None


class Uniformity(AnalysisResult):
    kind: Literal["uniformity"] = "uniformity"
    uniformity: float = Field(description="Over all pairs: 0 if all are equal, near -4 if spread over the sphere.")
    by_class: list[float | None] | None = Field(
        description="Over the pairs of each class. Null with fewer than two images. Null as a whole without labels."
    )
    num_samples: int


@analyses.register
class UniformityConfig(AnalysisSettings):
    """How evenly the training images spread over the feature space.

    log mean exp(-2 |z_a - z_b|^2) over pairs of ID embeddings (Wang & Isola 2020).
    """

    kind = "uniformity"
    title = "Uniformity"
    implementation = "colt_core.analyses.uniformity:analyze"
    needs = frozenset[Need]({"images"})
    without_labels = True
    of_backbones = True
    result = Uniformity

    num_samples: int = Field(5000, ge=2, le=50_000, description="ID images; a random sample if there are more.")


class Alignment(AnalysisResult):
    kind: Literal["alignment"] = "alignment"
    alignment: float = Field(description="Mean over the classes with images: 0 is best, 4 is worst.")
    by_class: list[float | None]
    group: dict[str, float | None] = Field(description="Means over the classes of many, medium and few.")


@analyses.register
class AlignmentConfig(AnalysisSettings):
    """How close two augmented views of an image are, by class.

    The mean |z_view1 - z_view2|^2 of two augmented views (Wang & Isola 2020).
    """

    kind = "alignment"
    title = "Alignment"
    implementation = "colt_core.analyses.alignment:analyze"
    needs = frozenset[Need]({"images"})
    of_backbones = True
    reads = ("precision", "group_thresholds", *AUGMENTATION)
    result = Alignment

    per_class: int = Field(
        200, ge=1, le=10_000, description="ID images of each class; a random sample if there are more."
    )
    num_pairs: int = Field(4, ge=1, le=64, description="Pairs of views of each image.")
