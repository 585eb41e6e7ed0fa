"""An analysis that is defined here alone, and what an analysis may leave unread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest
import torch
from pydantic import Field

from colt_core.analyses.analysed_run import AnalysedRun
from colt_core.analyses.kinds import (
    AnalysisResult,
    AnalysisSettings,
    MisclassificationConfig,
    Need,
    TailShareConfig,
    UniformityConfig,
    analyses,
)
from colt_core.analyses.run import analyze
from colt_core.config import PretrainConfig
from colt_core.data import ImageDataset
from colt_core.data.dataset import DatasetLabels
from colt_core.events import CheckpointReady
from colt_core.probes.kinds import ProbeSettings, probes
from tests.support import tiny_runs
from tests.support.tiny_dataset import DATA, LABELS


class Brightness(AnalysisResult):
    kind: Literal["brightness"] = "brightness"
    mean: float
    images: int


class BrightnessConfig(AnalysisSettings):
    """How bright the training images of some classes are."""

    kind = "brightness"
    title = "Brightness"
    implementation = f"{__name__}:brightness"
    needs = frozenset[Need]({"images"})
    result = Brightness

    classes: tuple[int, ...] = Field((0,), min_length=1)

    def problem(
        self, run: PretrainConfig, class_counts: Sequence[int], probe_counts: Sequence[int], num_val: int
    ) -> tuple[str, str] | None:
        largest = max(self.classes)
        return None if largest < len(class_counts) else ("classes", f"there is no class {largest}")


def brightness(settings: BrightnessConfig, run: AnalysedRun) -> Brightness:
    chosen = run.images[np.isin(run.labels, settings.classes)]
    return Brightness(mean=float(chosen.mean()), images=len(chosen))


class DemandingProbeConfig(ProbeSettings):
    """A probe that wants many images."""

    kind = "demanding"
    title = "Demanding"
    implementation = "nowhere:nothing"  # only settings are looked at here

    least: int = Field(1, ge=1)

    def problem(self, class_counts: Sequence[int], probe_counts: Sequence[int], num_val: int) -> tuple[str, str] | None:
        return None if sum(probe_counts) >= self.least else ("least", f"there are {sum(probe_counts)} probe images")


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyses, "_classes", dict(analyses._classes))
    analyses.register(BrightnessConfig)


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return tiny_runs.kinds(tiny_runs.run(tiny_runs.config(epochs=1, warmup_epochs=1, sampler="none")), CheckpointReady)[
        -1
    ].state


@pytest.mark.usefixtures("registered")
def test_an_analysis_of_ones_own(state: dict[str, Any]) -> None:
    settings = AnalysisSettings.model_validate({"kind": "brightness", "classes": [1, 2]})
    assert settings == BrightnessConfig(classes=(1, 2))
    found = analyze(settings, state, DATA)
    assert found == Brightness(mean=float(tiny_runs.TRAIN[LABELS[:26] > 0].mean()), images=12)
    assert settings.result.model_validate_json(found.model_dump_json()) == found
    with pytest.raises(ValueError, match="classes: there is no class 3"):
        analyze(BrightnessConfig(classes=(3,)), state, DATA)


def test_misclassification_takes_a_probe_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_classes", dict(probes._classes))
    probes.register(DemandingProbeConfig)
    asked = {"kind": "misclassification", "probe": {"kind": "demanding", "least": 11}}
    settings = AnalysisSettings.model_validate(asked)
    assert settings == MisclassificationConfig(probe=ProbeSettings(kind="demanding", least=11))
    assert settings.model_dump()["probe"]["least"] == 11
    run = PretrainConfig.resolve({})
    assert settings.problem(run, (5, 5), (4, 6), 0) == ("probe/least", "there are 10 probe images")


@pytest.mark.parametrize("kind", analyses)
def test_a_result_names_the_analysis_that_found_it(kind: str) -> None:
    assert analyses[kind].result.model_fields["kind"].default == kind


def test_tail_share_reads_no_image_and_builds_no_network(state: dict[str, Any]) -> None:
    labels_alone = DatasetLabels(DATA.labels, DATA.class_names, DATA.parts)
    without_weights = {**state, "framework": None}
    assert analyze(TailShareConfig(), without_weights, labels_alone) == analyze(TailShareConfig(), state, DATA)
    with pytest.raises(ValueError, match="needs the images of the data set"):
        analyze(UniformityConfig(), state, labels_alone)
    with pytest.raises((AttributeError, TypeError)):
        analyze(UniformityConfig(), without_weights, DATA)


def test_only_data_that_are_read_must_be_those_of_the_run(state: dict[str, Any]) -> None:
    larger = torch.nn.functional.interpolate(torch.from_numpy(DATA.images), scale_factor=2).numpy()
    data = ImageDataset(larger, DATA.labels, DATA.class_names, DATA.parts)
    side = DATA.image_size
    for settings in (UniformityConfig(), MisclassificationConfig()):
        with pytest.raises(ValueError, match=f"image_size was {side} and is {2 * side}"):
            analyze(settings, state, data)
    assert analyze(TailShareConfig(), state, data) == analyze(TailShareConfig(), state, DATA)
