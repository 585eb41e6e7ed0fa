"""SDCLR's linear probe on CIFAR, and the numbers that its analysis script reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from benchmarks.released.check import SCORE_TOLERANCE, Arrays, Check, close, same
from colt_core.data.groups import GroupThresholds
from colt_core.probes.linear_sgd import Schedule, draw_layer, draw_order, fit_layer
from colt_core.probes.metrics import group_deviation, group_means, mean_of_known

_WEIGHT_TOLERANCE = 1e-3  # of a layer after 240 steps at learning rates up to 30, which multiply rounding


def checks(arrays: Arrays) -> Iterator[Check]:
    """Check the drawn orders and weights, a training on given features, and three summaries."""
    features, labels = (torch.from_numpy(arrays[name]) for name in ("features", "labels"))
    labels, (train, val, test) = labels.long(), (arrays[name].astype(np.int64) for name in ("train", "val", "test"))
    layer = draw_layer(features.shape[1], int(labels.max()) + 1, seed=0)
    yield same("initial_weight", layer.weight.detach().numpy(), arrays["initial_weight"])
    orders = [train[draw_order(len(train), 0, epoch)] for epoch in range(1, len(arrays["orders"]) + 1)]
    yield same("orders", np.stack(orders), arrays["orders"])

    def batches(epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        for index in torch.from_numpy(orders[epoch - 1]).split(int(arrays["batch_size"])):
            yield features[index], labels[index]

    schedule = Schedule(len(orders), tuple(arrays["drops"].tolist()), validate_every=1)
    fit = fit_layer(layer, batches, (features[val], labels[val]), schedule)
    yield close("learning_rates", np.array(fit.learning_rates), arrays["learning_rates"], SCORE_TOLERANCE, floor=0)
    accuracy = 100 * np.array(list(fit.val_accuracy.values()))
    yield close("val_accuracy", accuracy, arrays["val_accuracy"], SCORE_TOLERANCE)
    yield same("best_epoch", np.array(fit.best_epoch), arrays["best_epoch"])
    with torch.no_grad():
        predictions = fit.layer(features[test]).argmax(dim=1)
    yield same("predictions", predictions.numpy(), arrays["predictions"])
    right = 100 * (predictions == labels[test]).double().mean()
    yield close("test_accuracy", right.numpy(), arrays["test_accuracy"], SCORE_TOLERANCE)
    yield close("best_weight", fit.layer.weight.detach().numpy(), arrays["best_weight"], _WEIGHT_TOLERANCE)
    for name, thresholds in (("cifar10", None), ("cifar100", None), ("in", GroupThresholds())):
        accuracies = arrays[f"{name}_accuracy"].tolist()
        groups = group_means(accuracies, arrays[f"{name}_counts"].tolist(), thresholds)
        found = {"all": mean_of_known(accuracies), **groups, "std": group_deviation(groups)}
        for (quantity, share), expected in zip(found.items(), arrays[f"{name}_summary"], strict=True):
            percent = 1 if quantity == "std" else 100  # as the script prints them, rounded
            apart = abs(percent * share - expected) if share is not None else np.inf
            yield Check(f"{name}_summary {quantity} (rounded)", float(apart), 5.001e-5 * percent)
