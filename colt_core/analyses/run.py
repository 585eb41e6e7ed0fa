"""One analysis of one checkpoint, as asked for by `AnalysisSettings`."""

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
        """Make the analysis: a function of its arguments, as all draws come from `settings.seed`.

        Args:
            settings: of the analysis's kind.
            run: the checkpoint and its data; of these only what `settings.needs` names may be read.

        Raises:
            ValueError: if the analysis cannot be made of them; says why.
        """


def analyze(
    config: AnalysisSettings,
    state: Snapshot,
    dataset: ImageDataset | DatasetLabels,
    pool: ImagePool | None = None,
) -> AnalysisResult:
    """Make an analysis of a checkpoint.

    All that rests on embeddings is made in the space of the projection head's outputs,
    L2-normalised: that of tailness and of sampling rounds. Many and Few are the classes that the
    run's `group_thresholds` give. The result is a function of the arguments: all draws come from
    `config.seed`.

    Args:
        config: which analysis, for instance `UniformityConfig()`.
        state: a checkpoint, as `load_checkpoint` or a `CheckpointReady` event gives it.
        dataset: the run's data. Their labels are enough where `config.needs` does not name
            "images".
        pool: the run's pool, for the analyses that look at the OOD images picked (connectivity,
            feature_map).

    Raises:
        ValueError: if the data are not the run's, or the analysis cannot be made of them; says why.
    """
    run = AnalysedRun.of(state, dataset, pool, config.needs)
    sizes = dataset.split_sizes
    if problem := config.problem(run.config, dataset.class_counts, sizes["probe"], sizes["val"]):
        raise ValueError(": ".join(problem))
    implementation: Implementation = config.load()
    return implementation(config, run)
