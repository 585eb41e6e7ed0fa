"""Runs an analysis of a checkpoint or of a backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from colt_core.analyses.analysed import Analysed
from colt_core.analyses.analysed_backbone import AnalysedBackbone
from colt_core.analyses.analysed_run import AnalysedRun
from colt_core.analyses.kinds import AnalysisResult, AnalysisSettings
from colt_core.config import PretrainConfig
from colt_core.data import ImageDataset, ImagePool
from colt_core.data.dataset import DatasetLabels
from colt_core.models import Backbone
from colt_core.snapshot import Snapshot

S = TypeVar("S", bound=Analysed, contravariant=True)


class Implementation(Protocol[S]):
    """The implementation of a kind of analysis: of any `Analysed`, or of an `AnalysedRun` alone."""

    def __call__(self, settings: Any, subject: S, /) -> AnalysisResult:
        """Run the analysis. It is a function of its arguments: all draws come from `settings.seed`.

        Args:
            settings: settings of the analysis's kind.
            subject: the encoder and its data. Images and pool may be read only if `settings.needs`
                names them.

        Raises:
            ValueError: if the analysis cannot run on them; the message says why.
        """


def analyze(
    config: AnalysisSettings,
    state: Snapshot,
    dataset: ImageDataset | DatasetLabels | ImagePool,
    pool: ImagePool | None = None,
) -> AnalysisResult:
    """Run an analysis of a checkpoint.

    Embeddings are L2-normalised outputs of the projection head, as for tailness and sampling
    rounds. The run's `group_thresholds` define Many and Few. The result is a function of the
    arguments: all draws come from `config.seed`.

    Args:
        config: which analysis, for example `UniformityConfig()`.
        state: a checkpoint, from `load_checkpoint` or a `CheckpointReady` event.
        dataset: the run's data; an `ImagePool` if they have no labels. Labels are enough if
            `config.needs` does not name "images".
        pool: the run's pool, for analyses of picked OOD images (connectivity, feature_map).

    Raises:
        ValueError: if the data are not the run's, or the analysis cannot run on them; the message
            says why.
    """
    run = AnalysedRun.of(state, dataset, pool, config.needs)
    _check(config, run)
    implementation: Implementation[AnalysedRun] = config.load()
    return implementation(config, run)


def analyze_backbone(
    config: AnalysisSettings,
    backbone: Backbone,
    dataset: ImageDataset | ImagePool,
    assumed: Mapping[str, Any] | None = None,
) -> AnalysisResult:
    """Run an analysis of a backbone that no run trained.

    Embeddings are the L2-normalised features of the backbone, so that numbers do not compare with
    those of `analyze`. There is no tailness, and there are no picked OOD images.

    Args:
        config: which analysis. Its kind must be one of `of_backbones`.
        backbone: on any device. It is in eval mode afterwards.
        dataset: any data set; an `ImagePool` if the images have no labels.
        assumed: settings in place of those of a run, by name. Default: `config.assumed()`.

    Raises:
        ValueError: if the analysis cannot run on them; the message says why.
    """
    if not config.of_backbones:
        raise ValueError(f"'{config.kind}' reads what only a run has: analyse a checkpoint")
    run = PretrainConfig.model_validate(config.assumed() if assumed is None else dict(assumed))
    subject = AnalysedBackbone(run, dataset, backbone)
    _check(config, subject)
    implementation: Implementation[Analysed] = config.load()
    return implementation(config, subject)


def _check(config: AnalysisSettings, subject: Analysed) -> None:
    data = subject.data
    if isinstance(data, ImagePool):
        if not config.without_labels:
            raise ValueError("it needs labels, and the training images have none")
        sizes: tuple[list[int], list[int], int] = ([len(data)], [], 0)
    else:
        sizes = (data.class_counts, data.counts("probe"), len(data.parts["val"]))
    if problem := config.problem(subject.config, *sizes):
        raise ValueError(": ".join(problem))
