"""Probes on data whose answer is known, and the reported numbers against a case worked by hand."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.optim.optimizer import register_optimizer_step_post_hook

from colt_core.data import ImageDataset
from colt_core.data.groups import GroupThresholds
from colt_core.data.rare import evaluation_warnings
from colt_core.models import Backbone
from colt_core.probes.evaluate import evaluate, predict
from colt_core.probes.features import features_of
from colt_core.probes.few_shot import few_shot_probe
from colt_core.probes.fitted import ProbeFit, balanced_weights
from colt_core.probes.kinds import EvaluationConfig
from colt_core.probes.knn import knn_probe
from colt_core.probes.linear import choose_strength, linear_probe
from colt_core.probes.linear_sgd import Schedule, draw_layer, fit_layer, linear_probe_sgd, sgd_batch_size
from colt_core.probes.metrics import summarize
from colt_core.probes.split import choose_shots, probe_split


def test_the_reported_numbers_by_hand() -> None:
    #   class     0          1       2       3
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 2, 3, 3])
    predicted = np.array([0, 0, 0, 1, 1, 0, 2, 2, 0, 0])
    # right:           3 of 4     1 of 2  2 of 2  0 of 2
    result = summarize(predicted, labels, class_counts=[100, 50, 20, 5])
    assert result.accuracy == pytest.approx(0.6)
    assert result.per_class_accuracy == pytest.approx((0.75, 0.5, 1.0, 0.0))
    assert result.balanced_accuracy == pytest.approx(0.5625)
    assert result.group_accuracy == pytest.approx({"many": 0.625, "medium": 1.0, "few": 0.0})
    # Mean 0.541667; squared deviations 0.006944, 0.210069, 0.293403; population variance 0.170139.
    assert result.group_std == pytest.approx(0.412479, abs=1e-6)
    assert result.class_counts == (100, 50, 20, 5)
    assert result.test_counts == (4, 2, 2, 2)


def test_classes_without_test_images_and_empty_groups_do_not_count() -> None:
    result = summarize(
        np.array([0, 0]), np.array([0, 0]), class_counts=[500, 300], thresholds=GroupThresholds(low=20, high=100)
    )
    assert result.per_class_accuracy == (1.0, None)
    assert result.balanced_accuracy == 1.0
    assert result.group_accuracy == {"many": 1.0, "medium": None, "few": None}
    assert result.group_std is None  # it was 0, as if the groups were perfectly even (BalancedMetaSoftmax#8)


@pytest.mark.parametrize("missing", range(3))
def test_std_is_of_three_groups_or_unknown(missing: int) -> None:
    labels = np.array([c for c in range(3) if c != missing])
    result = summarize(labels, labels, class_counts=[100, 50, 5])
    assert list(result.group_accuracy.values()) == [None if c == missing else 1.0 for c in range(3)]
    assert (result.group_std, result.balanced_accuracy) == (None, 1.0)


@pytest.mark.parametrize(("predictions", "labels"), [([0], [0, 1]), ([], []), ([2], [0]), ([0], [2]), ([-1], [0])])
def test_predictions_that_do_not_fit_are_refused(predictions: list[int], labels: list[int]) -> None:
    with pytest.raises(ValueError, match=r"prediction|must be in"):
        summarize(np.array(predictions, dtype=np.int64), np.array(labels, dtype=np.int64), [1, 1])


def _blobs(per_class: int, seed: int, scale: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Three classes around three directions of 8, the features far from standardised."""
    labels = np.repeat(np.arange(3), per_class)
    noise = np.random.default_rng(seed).normal(size=(len(labels), 8)) * scale
    return ((np.eye(8)[labels] + noise) * 50 + 7).astype(np.float32), labels


def test_every_probe_separates_what_is_separable() -> None:
    features, labels = _blobs(30, seed=0, scale=0.05)
    test_features, test_labels = _blobs(20, seed=1, scale=0.05)
    assert np.array_equal(linear_probe(features, labels, test_features), test_labels)
    assert np.array_equal(few_shot_probe(features, labels, test_features, shots=15), test_labels)
    assert np.array_equal(knn_probe(features, labels, test_features), test_labels)


def test_the_strength_is_chosen_by_validation() -> None:
    # A quarter of the labels is wrong: a weak penalty learns them by heart and loses on validation.
    rng = np.random.default_rng(2)
    features, val = (rng.normal(size=(count, 60)).astype(np.float32) for count in (100, 500))
    truth, val_labels = ((x[:, :6].sum(axis=1) > 0).astype(np.int64) for x in (features, val))
    labels = truth ^ (rng.random(100) < 0.25)
    assert choose_strength(features, labels, val, val_labels, strengths=(1000.0, 0.01)) == 0.01


def test_of_equal_strengths_the_smallest_is_taken() -> None:
    features, labels = _blobs(30, seed=0, scale=0.05)
    assert choose_strength(features, labels, *_blobs(20, seed=1, scale=0.05), strengths=(10.0, 1.0, 0.1)) == 0.1


def _slow_knn(train: np.ndarray, labels: np.ndarray, test: np.ndarray, k: int, tau: float) -> list[int]:
    sizes = [max(5, np.count_nonzero(labels == c)) for c in range(max(labels) + 1)]
    predictions = []
    for x in test.astype(float):
        cosines = [float(x @ t / np.linalg.norm(x) / np.linalg.norm(t)) for t in train.astype(float)]
        votes = [0.0] * (max(labels) + 1)
        for i in sorted(range(len(train)), key=lambda i: -cosines[i])[:k]:
            votes[labels[i]] += np.exp(cosines[i] / tau) / sizes[labels[i]]
        predictions.append(int(np.argmax(votes)))
    return predictions


@pytest.mark.parametrize("k", [1, 5, 90, 1000])
@pytest.mark.parametrize("sizes", [(30, 30, 30), (30, 9, 2)])
def test_knn_is_the_slow_vote(k: int, sizes: tuple[int, ...]) -> None:
    features, labels = _blobs(30, seed=0, scale=0.8)
    kept = np.concatenate([np.flatnonzero(labels == c)[:size] for c, size in enumerate(sizes)])
    features, labels = features[kept], labels[kept]
    test_features, _ = _blobs(10, seed=1, scale=0.8)
    assert knn_probe(features - 7, labels, test_features - 7, neighbors=k).tolist() == _slow_knn(
        features - 7, labels, test_features - 7, k, 0.07
    )


def test_knn_refuses_what_cannot_vote() -> None:
    features, labels = _blobs(3, seed=0)
    with pytest.raises(ValueError, match="positive"):
        knn_probe(features, labels, features, neighbors=0)


def test_shots_are_balanced_and_seeded_and_a_class_with_fewer_gives_all() -> None:
    labels = np.repeat([0, 1], [9, 4])
    chosen = choose_shots(labels, 4, seed=0)
    assert np.bincount(labels[chosen]).tolist() == [4, 4]
    assert np.array_equal(chosen, choose_shots(labels, 4, seed=0))
    assert not np.array_equal(chosen, choose_shots(labels, 4, seed=1))
    assert np.bincount(labels[choose_shots(labels, 5, seed=0)]).tolist() == [5, 4]


@pytest.mark.parametrize(("counts", "shots"), [([4500, 45], 45), ([450, 4], 4), ([1280, 5], 12), ([30, 3], 1)])
def test_default_shots_are_those_of_the_paper(counts: list[int], shots: int) -> None:
    assert EvaluationConfig(kind="few_shot").shots_for(counts) == shots


def test_configurations_that_make_no_sense_are_refused() -> None:
    for fields in ({"kind": "svm"}, {"kind": "knn", "protocol": "sgd"}, {"neighbors": 0}, {"k": 3}):
        with pytest.raises(ValidationError):
            EvaluationConfig.model_validate(fields)
    with pytest.raises(ValidationError, match="must not be above"):
        GroupThresholds(low=30, high=20)


def _colours(per_class: int = 12, val: int = 0) -> ImageDataset:
    """Three classes that differ by the colour of their 16 px images; train (imbalanced), probe, val
    and test."""
    counts = {"train": (9, 6, 3), "probe": (per_class,) * 3, "val": (val,) * 3, "test": (6, 6, 6)}
    labels = np.concatenate([np.repeat(np.arange(3), of_part) for of_part in counts.values()])
    images = np.random.default_rng(0).integers(0, 60, (len(labels), 3, 16, 16))
    images[np.arange(len(labels)), labels] += 190
    ends = np.cumsum([0, *(sum(of_part) for of_part in counts.values())])
    parts = {name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(counts)}
    return ImageDataset(images.astype(np.uint8), labels.astype(np.int64), ("red", "green", "blue"), parts)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    torch.manual_seed(0)
    return Backbone("resnet10", width=8, stem="cifar-stride2")


@pytest.mark.parametrize(
    "fields",
    [{}, {"kind": "few_shot", "shots": 2}, {"kind": "knn", "neighbors": 5}, {"protocol": "sgd"}, {"kind": "few_shot"}],
)
def test_evaluate_tells_colours_apart_and_leaves_the_backbone_as_it_was(backbone: Backbone, fields: dict) -> None:
    backbone.train()
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    config = EvaluationConfig(**fields)
    result = evaluate(backbone, _colours(), config, precision="fp32")
    assert result.balanced_accuracy > 2 / 3  # an untrained backbone; chance is a third
    assert result.class_counts == (9, 6, 3)
    assert result.test_counts == (6, 6, 6)
    assert set(result.group_accuracy) == {"many", "medium", "few"}
    assert backbone.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.state_dict().items())
    assert evaluate(backbone, _colours(), config, precision="fp32") == result


def test_the_groups_follow_the_thresholds(backbone: Backbone) -> None:
    config = EvaluationConfig(kind="knn", group_thresholds=GroupThresholds(low=5, high=6))
    result = evaluate(backbone, _colours(), config, precision="fp32")
    assert result.group_accuracy == pytest.approx(
        dict(zip(("many", "medium", "few"), result.per_class_accuracy, strict=True))
    )


def test_learning_never_sees_what_validates_it() -> None:
    dataset = _colours(per_class=10)
    learn, val = probe_split(dataset, seed=0)
    assert np.array_equal(np.union1d(learn, val), dataset.parts["probe"])
    assert not np.intersect1d(learn, val).size
    assert np.bincount(dataset.labels[val]).tolist() == [2, 2, 2]
    learn, val = probe_split(_colours(val=2), seed=0)
    assert (len(learn), len(val)) == (36, 6)
    learn, val = probe_split(_colours(per_class=1), seed=0)
    assert (len(learn), len(val)) == (3, 0)


def test_a_single_probe_image_a_class_still_works(backbone: Backbone) -> None:
    for fields in ({}, {"kind": "few_shot"}, {"protocol": "sgd"}):
        result = evaluate(backbone, _colours(per_class=1), EvaluationConfig(**fields), precision="fp32")
        assert result.balanced_accuracy > 0.6


def test_a_diverged_backbone_is_called_by_its_name(backbone: Backbone) -> None:
    broken = copy.deepcopy(backbone)
    broken.bn1.running_mean.fill_(torch.nan)
    for kind in ("linear", "few_shot", "knn"):
        with pytest.raises(ValueError, match="features are not finite"):
            evaluate(broken, _colours(), EvaluationConfig(kind=kind))


def test_more_shots_than_images_is_said_before_anything_runs(backbone: Backbone) -> None:
    config = EvaluationConfig(kind="few_shot", shots=11)
    assert config.problem([9, 6, 3], [12, 12, 12], num_val=3) is None
    assert config.problem([9, 6, 3], [2, 14, 3], num_val=0) is None  # one class has as many to learn from
    assert EvaluationConfig(kind="few_shot").problem([100_000, 6, 3], [50, 6, 3], 0) is None  # 1 % would be 1,000
    with pytest.raises(ValueError, match="shots 11 is more than the 10 images that any class has"):
        evaluate(backbone, _colours(), config)


def test_the_sgd_probe_keeps_the_layer_that_validated_best(backbone: Backbone) -> None:
    # On labels without meaning accuracy goes up and down from epoch to epoch; the best so far can
    # only rise.
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (60, 3, 16, 16), dtype=np.uint8), np.arange(60) % 3
    learn, val = np.arange(30), np.arange(30, 60)
    right = [
        np.count_nonzero(
            linear_probe_sgd(backbone, images, labels, train=learn, val=val, test=val, epochs=epochs, precision="fp32")
            == labels[val]
        )
        for epochs in range(1, 8)
    ]
    assert right == sorted(right) and right[0] < right[-1]


def _noise(probe: int = 40, val: int = 0) -> ImageDataset:
    """Labels without meaning: a classifier shows by its predictions which images it learned
    from."""
    sizes = {"train": 10, "probe": probe, "val": val, "test": 60}
    ends = np.cumsum([0, *sizes.values()])
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (ends[-1], 3, 16, 16), dtype=np.uint8)
    parts = {name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(sizes)}
    return ImageDataset(images, np.arange(ends[-1]) % 2, ("a", "b"), parts)


def test_the_strength_comes_from_the_split_and_the_final_fit_from_all_of_the_probe_part(backbone: Backbone) -> None:
    dataset = _noise()
    learn, val = probe_split(dataset, seed=0)
    probe, test = dataset.parts["probe"], dataset.parts["test"]
    x, y = features_of(backbone, dataset.images, np.arange(len(dataset.images)), precision="fp32"), dataset.labels
    strength = choose_strength(x[learn], y[learn], x[val], y[val])
    predicted = predict(backbone, dataset, precision="fp32")
    assert np.array_equal(predicted, linear_probe(x[probe], y[probe], x[test], strength=strength))
    assert not np.array_equal(predicted, linear_probe(x[learn], y[learn], x[test], strength=strength))
    # Few-shot keeps to its shots: learning from the validation images too would be more than 1 %.
    shots = learn[choose_shots(y[learn], 3, seed=0)]
    strength = choose_strength(x[shots], y[shots], x[val], y[val])
    predicted = predict(backbone, dataset, EvaluationConfig(kind="few_shot", shots=3), precision="fp32")
    assert np.array_equal(predicted, linear_probe(x[shots], y[shots], x[test], strength=strength))


@pytest.mark.parametrize(
    ("fields", "epochs_at"),
    [({}, {30.0: 9, 3.0: 10, 0.3: 11}), ({"kind": "few_shot", "shots": 2}, {30.0: 39, 3.0: 20, 0.3: 41})],
    ids=["linear", "few_shot"],
)
def test_sgd_takes_the_published_steps(backbone: Backbone, fields: dict, epochs_at: dict[float, int]) -> None:
    settings = []

    def note(optimizer: torch.optim.Optimizer, *_: object) -> None:
        (group,) = optimizer.param_groups
        settings.append((round(group["lr"], 9), group["momentum"], group["weight_decay"], group["nesterov"]))

    hook = register_optimizer_step_post_hook(note)
    try:
        predict(backbone, _noise(probe=10), EvaluationConfig(protocol="sgd", **fields), precision="fp32")
    finally:
        hook.remove()
    assert settings == [(rate, 0.9, 0, False) for rate, epochs in epochs_at.items() for _ in range(epochs)]


def test_sgd_batches_are_of_128_images_and_of_512_at_224_pixels() -> None:
    assert [sgd_batch_size(side) for side in (32, 64, 223, 224, 256)] == [128, 128, 128, 512, 512]


@pytest.mark.parametrize(("every", "validated"), [(1, [1, 2, 3, 4, 5, 6, 7]), (5, [5, 7])])
def test_only_validated_epochs_can_be_the_best(every: int, validated: list[int]) -> None:
    features, labels = torch.eye(3).repeat(4, 1), torch.arange(3).repeat(4)
    fit = fit_layer(
        draw_layer(3, 3, seed=0),
        lambda _: [(features, labels)],
        (features, labels),
        Schedule(7, (3,), every),
        learning_rate=1.0,
    )
    assert list(fit.val_accuracy) == validated
    assert fit.best_epoch == validated[0]  # right from the beginning, and the first among equals
    assert fit.learning_rates == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.1, 0.1, 0.1])


# --- classes with few images


def _uneven(counts: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes of different sizes that overlap: an unweighted classifier prefers the large ones."""
    labels = np.repeat(np.arange(len(counts)), counts)
    noise = np.random.default_rng(seed).normal(size=(len(labels), 4))
    return (np.eye(4)[labels] * 1.5 + noise).astype(np.float32), labels


def _recall(predicted: np.ndarray, labels: np.ndarray) -> float:
    return float((predicted == labels)[labels == labels.max()].mean())


def test_classes_weigh_the_same_however_many_images_they_have() -> None:
    features, labels = _uneven((300, 300, 12), seed=0)
    test_features, test_labels = _uneven((100, 100, 100), seed=1)
    assert _recall(linear_probe(features, labels, test_features), test_labels) > 0.5  # 0.1 unweighted
    assert balanced_weights(labels)[[0, -1]].tolist() == pytest.approx([612 / 900, 612 / 36])
    assert np.all(balanced_weights(np.repeat(range(7), 3)) == 1)  # exactly: balanced data give the same results as ever


def test_a_strength_is_chosen_by_balanced_accuracy() -> None:
    features, labels = _uneven((60, 60, 6), seed=0)
    val, val_labels = _uneven((200, 200, 4), seed=3)
    right = {strength: linear_probe(features, labels, val, strength=strength) == val_labels for strength in (1e-4, 1.0)}
    balanced = {strength: np.mean([hits[val_labels == c].mean() for c in range(3)]) for strength, hits in right.items()}
    assert choose_strength(features, labels, val, val_labels, list(right)) == max(balanced, key=balanced.__getitem__)


def _tail(backbone: Backbone, fields: dict) -> tuple[ImageDataset, Any]:
    """Five classes of 12, 12, 3, 1 and 1 training images, and how a probe of them comes out.

    Class 3 has test images and a single probe image. Class 4 has neither.
    """
    counts = {"train": (12, 12, 3, 1, 1), "probe": (12, 12, 3, 1, 0), "val": (0,) * 5, "test": (10, 12, 2, 1, 0)}
    labels = np.concatenate([np.repeat(np.arange(5), of_part) for of_part in counts.values()])
    images = np.random.default_rng(0).integers(0, 60, (len(labels), 3, 16, 16))
    images[np.arange(len(labels)), labels % 3] += 190
    ends = np.cumsum([0, *(sum(of_part) for of_part in counts.values())])
    parts = {name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(counts)}
    dataset = ImageDataset(images.astype(np.uint8), labels.astype(np.int64), tuple("abcde"), parts)
    return dataset, evaluate(backbone, dataset, EvaluationConfig(**fields), precision="fp32")


@pytest.mark.parametrize(
    ("fields", "fitted", "shots"),
    [
        ({}, (12, 12, 3, 1, 0), None),
        ({"kind": "knn"}, (12, 12, 3, 1, 0), None),
        ({"protocol": "sgd"}, (10, 10, 2, 1, 0), None),  # a fifth of each class validates
        ({"kind": "few_shot", "shots": 4}, (4, 4, 2, 1, 0), 4),
        ({"kind": "few_shot", "shots": 4, "protocol": "sgd"}, (4, 4, 2, 1, 0), 4),
    ],
    ids=["linear", "knn", "sgd", "few_shot", "few_shot sgd"],
)
def test_an_evaluation_says_what_it_was_fitted_on(
    backbone: Backbone, fields: dict, fitted: tuple[int, ...], shots: int | None
) -> None:
    _, result = _tail(backbone, fields)
    assert result.probe == ProbeFit(sum(fitted), fitted, shots)
    found = {warning.code: warning.examples for warning in result.warnings}
    assert found == {
        "classes_left_out": ("e",),
        "few_probe_images": ("c", "d"),
        "few_test_images": ("c", "d"),
    }
    assert result.per_class_accuracy[4] is None
    assert result.balanced_accuracy == pytest.approx(np.mean(result.per_class_accuracy[:4]))
    assert (result.group_accuracy["few"], result.group_std) == (None, None)  # Few is class 4


def test_one_shot_is_no_reason_for_a_warning_where_one_was_asked_for(backbone: Backbone) -> None:
    result = evaluate(backbone, _colours(), EvaluationConfig(kind="few_shot", shots=1), precision="fp32")
    assert {warning.code for warning in result.warnings} == {"few_test_images"}


def test_warnings_name_classes_that_are_measured_but_never_predicted_and_the_reverse() -> None:
    found = evaluation_warnings(tuple("abc"), fitted=(9, 0, 9), test=(0, 20, 20))
    assert [(warning.code, warning.examples) for warning in found] == [
        ("no_probe_images", ("b",)),
        ("no_test_images", ("a",)),
    ]
    many = evaluation_warnings([f"n{c}" for c in range(1000)], [1] * 1000, [10] * 1000)
    assert (many[0].count, len(many[0].examples)) == (1000, 10)
    assert "'n99' and 900 more" in many[0].detail and "n100'" not in many[0].detail


def test_a_single_class_teaches_nothing(backbone: Backbone) -> None:
    dataset = _colours()
    alone = ImageDataset(
        dataset.images, dataset.labels, dataset.class_names, dataset.parts | {"probe": dataset.parts["probe"][:12]}
    )
    for kind in ("linear", "few_shot", "knn"):
        with pytest.raises(ValueError, match="a probe learns to tell classes apart, but 1 of 3 have probe images"):
            evaluate(backbone, alone, EvaluationConfig(kind=kind))
