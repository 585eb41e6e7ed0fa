"""Runs an analysis of a checkpoint."""

from __future__ import annotations

from typing import Any, Protocol

from colt_core.analyses.analysed_run import AnalysedRun
from colt_core.analyses.kinds import AnalysisResult, AnalysisSettings
from colt_core.data import ImageDataset, ImagePool
from colt_core.data.dataset import DatasetLabels
from colt_core.snapshot import Snapshot


class Implementation(Protocol):
    """The implementation of a kind of analysis."""

    def __call__(self, settings: Any, run: AnalysedRun, /) -> AnalysisResult:
        """Run the analysis. It is a function of its arguments: all draws come from `settings.seed`.

        Args:
            settings: settings of the analysis's kind.
            run: the checkpoint and its data. Images and pool may be read only if `settings.needs`
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
    if isinstance(dataset, ImagePool):
        if not config.without_labels:
            raise ValueError("it needs labels, and the training images have none")
        sizes: tuple[list[int], list[int], int] = ([len(dataset)], [], 0)
    else:
        sizes = (dataset.class_counts, dataset.counts("probe"), len(dataset.parts["val"]))
    if problem := config.problem(run.config, *sizes):
        raise ValueError(": ".join(problem))
    implementation: Implementation = config.load()
    return implementation(config, run)
