"""`analyze`: each kind of analysis of a real checkpoint, and why one cannot be made."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from colt_core.analyses.alignment import alignment
from colt_core.analyses.feature_map import choose_evenly
from colt_core.analyses.kinds import AnalysisConfig, FeatureMapConfig, UniformityConfig, analyses
from colt_core.analyses.run import analyze
from colt_core.analyses.tail_share import tail_share
from colt_core.analyses.uniformity import uniformity
from colt_core.analyses.views import choose, embed_views
from colt_core.config import PretrainConfig
from colt_core.data import ImageDataset, ImagePool
from colt_core.events import CheckpointReady
from colt_core.probes.evaluate import evaluate
from colt_core.training.checkpoint import load_backbone, load_framework
from colt_core.training.embed import embed
from tests.support import tiny_runs
from tests.support.tiny_dataset import DATA, LABELS, PER_CLASS

POOL = ImagePool(tiny_runs.POOL)
KINDS = {
    "uniformity": {},
    "alignment": {"num_pairs": 2},
    "tail_share": {},
    "cluster_minority": {},
    "misclassification": {"probe": {"kind": "knn", "neighbors": 3}},
    "connectivity": {"num_views": 3},
    "feature_map": {},
}


def last_state(**settings: Any) -> dict[str, Any]:
    return tiny_runs.kinds(tiny_runs.run(tiny_runs.config(**settings)), CheckpointReady)[-1].state


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return last_state()


def made(state: dict[str, Any], kind: str, pool: ImagePool | None = POOL, **settings: Any) -> Any:
    return analyze(AnalysisConfig.model_validate({"kind": kind, **settings}), state, DATA, pool)


@pytest.mark.parametrize("kind", KINDS)
def test_every_analysis_is_repeatable_and_survives_json(state: dict[str, Any], kind: str) -> None:
    found = made(state, kind, **KINDS[kind])
    assert found == made(state, kind, **KINDS[kind])
    assert analyses[kind].result.model_validate_json(found.model_dump_json()) == found


def test_uniformity_is_that_of_the_embeddings(state: dict[str, Any]) -> None:
    z = embed(load_framework(state)[0], tiny_runs.TRAIN)
    found = made(state, "uniformity")
    assert found.num_samples == 26 and found.uniformity == pytest.approx(uniformity(z), abs=1e-6)
    assert found.by_class == pytest.approx([uniformity(z[LABELS[:26] == c]) for c in range(3)], abs=1e-6)
    assert made(state, "uniformity", num_samples=5).num_samples == 5


def test_alignment_is_that_of_pairs_of_views_and_by_group(state: dict[str, Any]) -> None:
    framework, config = load_framework(state)
    z = embed_views(framework, tiny_runs.TRAIN, np.arange(22, 26), 4, config, seed=0)  # the tail class
    found = made(state, "alignment", num_pairs=2)
    tail = np.mean([alignment(z[:, 0], z[:, 1]), alignment(z[:, 2], z[:, 3])])
    assert found.by_class[2] == found.group["few"] == pytest.approx(tail, abs=1e-5)
    assert found.alignment == pytest.approx(np.mean(found.by_class)) and found.alignment > 0


def test_tail_share_is_of_the_averaged_scores(state: dict[str, Any]) -> None:
    found, scores = made(state, "tail_share", gammas=[10, 40, 100]), state["tailness"]["score"].numpy()
    assert found.phi_tail == tail_share(scores, LABELS[:26], [2], [10, 40, 100])
    assert found.phi_head == tail_share(scores, LABELS[:26], [0], [10, 40, 100])


def test_an_image_never_scored_has_the_mean_tailness_of_the_others(state: dict[str, Any]) -> None:
    seen, score = state["tailness"]["seen"].clone(), state["tailness"]["score"]
    seen[3] = False
    found = made({**state, "tailness": {"score": score, "seen": seen}}, "feature_map", method="pca")
    assert found.tailness[found.index.index(3)] == pytest.approx(float(score[seen].mean()), rel=1e-6)


def test_clusters_are_those_of_the_run_or_as_many_as_asked_for(state: dict[str, Any]) -> None:
    found = made(state, "cluster_minority")
    assert len(found.size) <= 3 and sum(found.size) == 26  # config.num_clusters
    assert np.dot(found.size, found.minority_share) == pytest.approx(4)
    assert np.dot(found.size, found.tailness) == pytest.approx(float(state["tailness"]["score"].sum()), abs=1e-4)
    assert len(made(state, "cluster_minority", num_clusters=5).size) > 3


def test_misclassification_is_of_the_probe_asked_for(state: dict[str, Any]) -> None:
    config = AnalysisConfig.model_validate({"kind": "misclassification", **KINDS["misclassification"]})
    found, result = analyze(config, state, DATA, None), evaluate(load_backbone(state)[0], DATA, config.probe)
    assert np.trace(found.counts) / 15 == pytest.approx(result.accuracy)
    assert np.sum(found.counts, axis=1).tolist() == [PER_CLASS] * 3 and found.order == [0, 1, 2]


def test_connectivity_is_of_many_and_few_with_the_images_picked(state: dict[str, Any]) -> None:
    found = made(state, "connectivity", num_views=3, thresholds=[0.05, 0.2, 2])
    assert found.num_ood == 24  # K
    assert (found.majority.num_pairs, found.minority.num_pairs) == (14 * 13 / 2, 4 * 3 / 2)
    for group in (found.majority, found.minority):
        assert group.without_ood[-1] == 1 and group.without_ood[0] < 1
        assert np.all(np.greater_equal(group.with_ood, group.without_ood))
    assert made(state, "connectivity", per_class=3, num_ood=7).num_ood == 7
    assert made(state, "connectivity", per_class=3).majority.num_pairs == 3


def test_the_map_holds_id_images_then_the_picked_ones(state: dict[str, Any]) -> None:
    found = made(state, "feature_map", method="pca", num_samples=10, num_ood=6, sampling="random")
    assert found.index[:10] == choose(26, 10, seed=0).tolist()
    assert set(found.index[10:]) < set(state["selected"].tolist()) and len(set(found.index[10:])) == 6
    assert found.label == [*LABELS[found.index[:10]].tolist(), *[-1] * 6]
    assert found.tailness[10:] == [None] * 6
    assert found.tailness[:10] == state["tailness"]["score"].numpy()[found.index[:10]].tolist()
    assert len(found.x) == len(found.y) == len(found.cluster) == 16
    assert max(made(state, "feature_map", method="pca", num_samples=10, num_ood=6, num_clusters=3).cluster) <= 2
    assert found.error[10:] == [None] * 6
    # Of ten images, the nearest ten are the nine others.
    own = LABELS[found.index[:10]]
    assert found.error[:10] == pytest.approx([float((own != label).sum()) / 9 for label in own])
    # By default the classes are as even as they can be.
    even = made(state, "feature_map", method="pca", num_samples=10, num_ood=0)
    assert even.index == choose_evenly(LABELS[:26], 10, seed=0).tolist()


def test_classes_are_drawn_evenly_as_far_as_they_have_images() -> None:
    labels = np.repeat([0, 1, 3], [90, 9, 2])
    for wanted, each in ((9, [4, 3, 0, 2]), (2, [1, 1, 0, 0]), (30, [19, 9, 0, 2]), (200, [90, 9, 0, 2])):
        drawn = choose_evenly(labels, wanted, seed=1)
        assert np.bincount(labels[drawn], minlength=4).tolist() == each
        assert (np.diff(drawn) > 0).all()
    assert np.array_equal(choose_evenly(labels, 9, seed=1), choose_evenly(labels, 9, seed=1))
    assert not np.array_equal(choose_evenly(labels, 9, seed=1), choose_evenly(labels, 9, seed=2))


@pytest.mark.parametrize("settings", [{"framework": "bcl"}, {"framework": "sdclr", "sampler": "none"}])
def test_other_frameworks_are_analysed_as_well(settings: dict[str, Any]) -> None:
    state = last_state(epochs=3, **settings)
    found = made(state, "connectivity", None if "sampler" in settings else POOL, num_views=2)
    assert found.num_ood == len(state["selected"]) and found.majority.num_pairs == 91
    if not found.num_ood:  # nothing picked, nothing bridged; nor mapped
        assert found.majority.with_ood == found.majority.without_ood
        assert len(made(state, "feature_map", None, method="pca").index) == 26
    # Nor has RandAugment a part in the views.
    framework, config = load_framework(state)
    plain = config.model_copy(update={"framework": "simclr"})
    views = [embed_views(framework, tiny_runs.TRAIN, np.arange(9), 2, each, seed=0) for each in (config, plain)]
    assert np.array_equal(*views)


def changed(state: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {**state, "config": {**state["config"], **config}}


def test_groups_are_those_of_the_run(state: dict[str, Any]) -> None:
    state = changed(state, group_thresholds={"low": 9, "high": 13})  # 4 and 8 images are Few now
    assert made(state, "connectivity").minority.num_pairs == 4 * 3 / 2 + 8 * 7 / 2
    state = changed(state, group_thresholds={"low": 1, "high": 100})  # every class is Medium
    assert made(state, "tail_share", gammas=[50]).phi_tail == [None]
    assert made(state, "alignment").group["few"] is None
    assert made(state, "connectivity").minority.without_ood == [None] * 10
    with pytest.raises(ValueError, match="no class counts as Few"):
        made(state, "cluster_minority")


def test_what_cannot_be_made_says_why(state: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs its pool"):
        made(state, "feature_map", None)
    with pytest.raises(ValueError, match="num_pool was 30 and is 7"):
        made(state, "connectivity", ImagePool(tiny_runs.POOL[:7]))
    with pytest.raises(ValueError, match="num_clusters: 27 is more than the 26"):
        made(state, "cluster_minority", num_clusters=27)
    with pytest.raises(ValueError, match="shots 9 is more"):
        made(state, "misclassification", probe={"kind": "few_shot", "shots": 9})
    other = ImageDataset(DATA.images[:5], DATA.labels[:5], DATA.class_names, dict.fromkeys(DATA.parts, np.arange(5)))
    with pytest.raises(ValueError, match="num_train was 26 and is 5"):
        analyze(UniformityConfig(), state, other)


def test_two_images_make_no_map_and_very_many_none_by_tsne() -> None:
    config, run = FeatureMapConfig(), PretrainConfig.resolve({})
    assert config.problem(run, (2, 1), 0, 0) is None
    large = FeatureMapConfig(num_samples=5001).problem(run, (2, 1), 0, 0)
    assert large == ("num_samples", "t-SNE takes at most 5,000 images: choose fewer, or method 'pca'")
    assert FeatureMapConfig(num_samples=50_000, method="pca").problem(run, (2, 1), 0, 0) is None
    assert config.problem(run, (1, 1), 0, 0) == (
        "kind",
        "a map needs at least 3 training images, and there are 2",
    )


def test_a_diverged_model_is_not_analysed(state: dict[str, Any]) -> None:
    broken = copy.deepcopy(state)
    for value in (float("nan"), -1e30):  # the second has a finite output, but not the square of its length
        broken["framework"]["backbone.bn1.running_mean"].fill_(value)
        for kind in ("uniformity", "alignment"):
            with pytest.raises(ValueError, match="not finite, or too large"):
                made(broken, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_without_labels_what_needs_them_is_refused_and_all_else_is_the_same(state: dict[str, Any], kind: str) -> None:
    config, images = AnalysisConfig.model_validate({"kind": kind, **KINDS[kind]}), ImagePool(tiny_runs.TRAIN)
    if not config.without_labels:
        with pytest.raises(ValueError, match="needs labels"):
            analyze(config, state, images, POOL)
        return
    found, labelled = analyze(config, state, images, POOL), made(state, kind)
    unknown = {"by_class": None}
    if kind == "feature_map":
        unknown = {"label": [-1 if label == -1 else None for label in labelled.label], "error": None}
    assert found == labelled.model_copy(update=unknown)
