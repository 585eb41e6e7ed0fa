"""`analyze_backbone`: analyses of a backbone that no run trained, on its features."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from colt_core.analyses.kinds import AnalysisSettings, analyses
from colt_core.analyses.run import analyze_backbone
from colt_core.architectures import Architecture
from colt_core.augment import BatchAugmenter
from colt_core.backbones.stored import StandardizedBackbone, random_backbone
from colt_core.config import PretrainConfig
from colt_core.data import ImagePool
from colt_core.models import Backbone
from colt_core.pixels import MEAN, STD
from colt_core.probes.evaluate import evaluate
from colt_core.probes.kinds import ProbeSettings
from colt_core.seeding import generator
from tests.support import tiny_runs
from tests.support.tiny_dataset import DATA, LABELS

SMALL = Architecture("resnet10", 4, "cifar-stride2")
SETTINGS: dict[str, dict[str, Any]] = {
    "uniformity": {},
    "alignment": {"num_pairs": 2},
    "misclassification": {"probe": {"kind": "linear", "protocol": "sgd"}},
    "connectivity": {"num_views": 3},
    "feature_map": {"method": "pca"},
}
OF_RUNS_ALONE = set(analyses) - set(SETTINGS)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone(SMALL, seed=0).requires_grad_(False).eval()


def settings(kind: str, **values: Any) -> AnalysisSettings:
    return AnalysisSettings.model_validate({"kind": kind, **SETTINGS.get(kind, {}), **values})


def made(backbone: Backbone, kind: str, assumed: dict[str, Any] | None = None, **values: Any) -> Any:
    return analyze_backbone(settings(kind, **values), backbone, DATA, {"precision": "fp32", **(assumed or {})})


def features(backbone: Backbone, pixels: torch.Tensor, mean: tuple[float, ...] = MEAN) -> torch.Tensor:
    """By plain torch: pixels in 0..1, standardised, pooled features, divided by their length."""
    standardized = torch.stack([(pixels[:, c] - mean[c]) / STD[c] for c in range(3)], dim=1)
    f = Backbone.forward(backbone, standardized)
    return f / (f * f).sum(dim=1, keepdim=True).sqrt()


def test_uniformity_is_that_of_normalised_features(backbone: Backbone) -> None:
    z = features(backbone, torch.from_numpy(tiny_runs.TRAIN).float() / 255)

    def slowly(rows: list[int]) -> float:
        potentials = [torch.exp(-2 * ((z[a] - z[b]) ** 2).sum()) for a, b in combinations(rows, 2)]
        return float(torch.log(torch.stack(potentials).mean()))

    found = made(backbone, "uniformity")
    assert found.uniformity == pytest.approx(slowly(list(range(26))), abs=1e-5)
    by_class = [slowly(np.flatnonzero(LABELS[:26] == c).tolist()) for c in range(3)]
    assert found.by_class == pytest.approx(by_class, abs=1e-5)


def test_alignment_is_of_the_features_of_a_jobs_default_views(backbone: Backbone) -> None:
    tail = torch.from_numpy(tiny_runs.TRAIN[LABELS[:26] == 2])
    augment, deviation = BatchAugmenter(), torch.tensor(STD).view(3, 1, 1)
    z = []
    for view in range(4):
        views = augment(tail, generator(0, "analysis views", 0, view)) * deviation + torch.tensor(MEAN).view(3, 1, 1)
        z.append(features(backbone, views))
    pairs = [((z[0] - z[1]) ** 2).sum(dim=1), ((z[2] - z[3]) ** 2).sum(dim=1)]
    expected = float(torch.cat(pairs).mean())
    found = made(backbone, "alignment")
    assert found.by_class[2] == found.group["few"] == pytest.approx(expected, abs=1e-5) and expected > 1e-4
    (other,) = {made(backbone, "alignment", {"group_thresholds": {"low": 9, "high": 13}}).group["few"]}
    assert other == pytest.approx((found.by_class[1] + found.by_class[2]) / 2)  # two classes are Few now


def test_a_backbone_gets_the_pixels_that_it_knows() -> None:
    own_mean = (0.5, 0.4, 0.3)
    backbone = StandardizedBackbone(SMALL, own_mean, STD).requires_grad_(False).eval()
    z = features(backbone, torch.from_numpy(tiny_runs.TRAIN[:2]).float() / 255, own_mean)
    two = DATA.parts | {"train": np.arange(2)}
    found = analyze_backbone(
        settings("uniformity"),
        backbone,
        type(DATA)(DATA.images, DATA.labels, DATA.class_names, two),
        {"precision": "fp32"},
    )
    assert found.uniformity == pytest.approx(-2 * float(((z[0] - z[1]) ** 2).sum()), abs=1e-5)  # type: ignore[attr-defined]


def test_confusion_is_that_of_the_same_probe(backbone: Backbone) -> None:
    probe = ProbeSettings(kind="knn", neighbors=3)
    found = made(backbone, "misclassification", probe=probe.model_dump())
    expected = evaluate(backbone, DATA, probe, precision="fp32").per_class_accuracy
    assert (np.diag(found.counts) / np.sum(found.counts, axis=1)).tolist() == pytest.approx(list(expected))


@pytest.mark.parametrize("kind", SETTINGS)
def test_what_it_assumes_is_all_that_it_reads_of_a_run(backbone: Backbone, kind: str) -> None:
    config = settings(kind)
    assert {"precision": "auto"}.items() <= config.assumed().items()
    unread = {
        "group_thresholds": {"low": 9, "high": 13},
        "min_crop_scale": 0.9,
        "flip_probability": 0.0,
        "color_jitter": 0.1,
        "color_jitter_probability": 0.1,
        "grayscale_probability": 1.0,
        "blur_probability": 1.0,
        "augmentation": "fused",
        "projection_dim": 7,
        "num_clusters": 3,
        "kmeans_restarts": 1,
        "seed": 5,
        "temperature": 0.5,
    }
    assert unread.keys() <= PretrainConfig.model_fields.keys()
    changed = {name: value for name, value in unread.items() if name not in config.reads}
    found = made(backbone, kind)
    assert found == made(backbone, kind, changed)
    assert analyses[kind].result.model_validate_json(found.model_dump_json()) == found


def test_there_is_no_tailness_and_nothing_was_picked(backbone: Backbone) -> None:
    assert made(backbone, "feature_map").tailness == [None] * 26
    found = made(backbone, "connectivity")
    assert found.num_ood == 0 and found.minority.with_ood == found.minority.without_ood
    unlabelled = analyze_backbone(settings("feature_map"), backbone, ImagePool(tiny_runs.TRAIN))
    assert unlabelled.label == [None] * 26  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="needs labels"):
        analyze_backbone(settings("alignment"), backbone, ImagePool(tiny_runs.TRAIN))


@pytest.mark.parametrize("kind", sorted(OF_RUNS_ALONE))
def test_what_reads_a_runs_history_is_refused(backbone: Backbone, kind: str) -> None:
    with pytest.raises(ValueError, match=f"'{kind}' reads what only a run has"):
        made(backbone, kind)


def test_features_that_say_nothing_are_refused() -> None:
    dead = random_backbone(SMALL, seed=0).requires_grad_(False).eval()
    for parameter in dead.parameters():
        parameter.zero_()
    with pytest.raises(ValueError, match="embeddings are zero"):
        made(dead, "uniformity")
