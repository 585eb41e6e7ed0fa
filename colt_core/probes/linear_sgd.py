"""The linear probe of the released code: SGD on features of augmented images.

The best epoch on the validation images predicts. The schedules and augmentations are those of
SDCLR's scripts (Jiang et al. 2021, commit f1490fc), which COLT's probes follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from colt_core.augment import BatchAugmenter
from colt_core.augment.padded_crop import PaddedCrop
from colt_core.data.dataset import ImageDataset
from colt_core.models import Backbone
from colt_core.probes.features import features_of
from colt_core.probes.fitted import balanced_weights
from colt_core.seeding import generator
from colt_core.training.device import Compute

UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]
Batches = Callable[[int], Iterable[tuple[Tensor, Tensor]]]  # of an epoch (from 1): features (b, d), labels (b,)

_LARGE = 224  # images of this side or more follow the scripts for ImageNet-100, smaller ones those for CIFAR


@dataclass(frozen=True, slots=True)
class Schedule:
    """Epochs of a released script, numbered from 1.

    Attributes:
        epochs: how many.
        drops: epochs that begin with a tenth of the learning rate before.
        validate_every: every n-th epoch is validated, and only those can be the best.
    """

    epochs: int
    drops: tuple[int, ...]
    validate_every: int


# The CIFAR script lowers the rate before the epoch that its option names, the other one after it.
LINEAR = {"cifar": Schedule(30, (10, 20), 1), "large": Schedule(30, (11, 21), 2)}
FEW_SHOT = {"cifar": Schedule(100, (40, 60), 5), "large": Schedule(100, (41, 61), 10)}


@dataclass(frozen=True, slots=True)
class LayerFit:
    """A trained linear layer.

    Attributes:
        layer: as it was after the best epoch.
        best_epoch: from 1; the first among equals.
        learning_rates: of each epoch.
        val_accuracy: by validated epoch, 0..1; weighted if the validation images have weights.
    """

    layer: nn.Linear
    best_epoch: int
    learning_rates: list[float]
    val_accuracy: dict[int, float]


def predict_by_sgd(
    backbone: Backbone,
    dataset: ImageDataset,
    train: Int64,
    val: Int64,
    schedules: dict[str, Schedule],
    *,
    flip_probability: float,
    precision: str,
    seed: int,
) -> Int64:
    """Predict the test part by :func:`linear_probe_sgd`, as published for images of this size.

    Args:
        train: indices into the data set of the images that train the layer.
        val: those that choose the epoch. If there are none, `train` does.
        schedules: LINEAR or FEW_SHOT.
    """
    schedule = schedules["cifar" if dataset.image_size < _LARGE else "large"]
    return linear_probe_sgd(
        backbone,
        dataset.images,
        dataset.labels,
        train=train,
        val=val if len(val) else train,
        test=dataset.parts["test"],
        epochs=schedule.epochs,
        drops=schedule.drops,
        validate_every=schedule.validate_every,
        batch_size=sgd_batch_size(dataset.image_size),
        flip_probability=flip_probability,
        precision=precision,
        seed=seed,
    )


def linear_probe_sgd(
    backbone: Backbone,
    images: UInt8,
    labels: Int64,
    *,
    train: Int64,
    val: Int64,
    test: Int64,
    epochs: int = 30,
    drops: Sequence[int] = (10, 20),
    validate_every: int = 1,
    learning_rate: float = 30.0,
    batch_size: int = 128,
    flip_probability: float = 0.5,
    precision: str = "auto",
    seed: int = 0,
) -> Int64:
    """Train a linear layer on the frozen backbone (released code).

    It sees features of augmented images (:func:`sgd_augmentation`), with batch norm in eval mode.
    The layer of the epoch with the best validation accuracy predicts; see :func:`fit_layer`. All
    classes weigh the same, in training and in validation, however many images they have. Where they
    have equally many, nothing is weighted, as in the released code.

    Args:
        backbone: on any device; its training mode is restored afterwards.
        images: (N, 3, S, S) uint8, possibly memory-mapped.
        labels: (N,) in 0..C-1.
        train, val, test: indices into images and labels, none of them empty.
        epochs, drops, validate_every: see :class:`Schedule`.
        flip_probability: 0 if a mirrored image has another meaning.

    Returns:
        Predicted classes of the test images, in the order of `test`.
    """
    device = next(backbone.parameters()).device
    compute = Compute.choose(device.type, precision)
    augment = sgd_augmentation(int(images.shape[-1]), flip_probability)
    num_classes = int(labels.max()) + 1

    def batches(epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        order = train[draw_order(len(train), seed, epoch)]
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            draws = generator(seed, "probe-augment", epoch - 1, start)
            views = augment(compute.images(torch.from_numpy(images[chosen])), draws)
            with torch.no_grad(), compute.deterministic(), compute.autocast():
                features = backbone(views)
            yield features.float(), torch.from_numpy(labels[chosen]).to(device)

    def features(index: Int64) -> Tensor:
        return torch.from_numpy(features_of(backbone, images, index, precision=precision)).to(device)

    layer = draw_layer(backbone.num_features, num_classes, seed).to(device)
    was_training = backbone.training
    backbone.eval()
    try:
        fit = fit_layer(
            layer,
            batches,
            (features(val), torch.from_numpy(labels[val]).to(device)),
            Schedule(epochs, tuple(drops), validate_every),
            learning_rate=learning_rate,
            class_weights=_class_weights(labels[train], num_classes, device),
            val_weights=torch.from_numpy(balanced_weights(labels[val])).to(device),
        )
    finally:
        backbone.train(was_training)
    predictions: Int64 = _predict(fit.layer, features(test)).cpu().numpy()
    return predictions


def fit_layer(
    layer: nn.Linear,
    batches: Batches,
    validation: tuple[Tensor, Tensor],
    schedule: Schedule,
    *,
    learning_rate: float = 30.0,
    class_weights: Tensor | None = None,
    val_weights: Tensor | None = None,
) -> LayerFit:
    """Train a linear layer by SGD with momentum 0.9 and no weight decay, and keep the best epoch.

    Args:
        layer: is changed; the result holds the same layer.
        batches: features and labels of each epoch.
        validation: (n, d) features and (n,) labels.
        class_weights: (C,) of the cross entropy. None: all 1.
        val_weights: (n,) with mean 1, of the validation images. None: all 1.
    """
    val_features, val_labels = validation
    optimizer = torch.optim.SGD(layer.parameters(), lr=learning_rate, momentum=0.9)
    best_epoch, best_state = 0, {name: value.clone() for name, value in layer.state_dict().items()}
    rates: list[float] = []
    accuracy: dict[int, float] = {}
    for epoch in range(1, schedule.epochs + 1):
        rates.append(learning_rate * 0.1 ** sum(epoch >= drop for drop in schedule.drops))
        for group in optimizer.param_groups:
            group["lr"] = rates[-1]
        for features, labels in batches(epoch):
            loss = cross_entropy(layer(features), labels, class_weights)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if epoch % schedule.validate_every and epoch != schedule.epochs:
            continue
        right = (_predict(layer, val_features) == val_labels).double()
        weighted = right if val_weights is None else right * val_weights
        accuracy[epoch] = round(float(weighted.mean()), 9)  # equals differ by the rounding of sums
        if not best_epoch or accuracy[epoch] > accuracy[best_epoch]:
            best_epoch, best_state = epoch, {name: value.clone() for name, value in layer.state_dict().items()}
    layer.load_state_dict(best_state)
    return LayerFit(layer, best_epoch, rates, accuracy)


def draw_layer(num_features: int, num_classes: int, seed: int) -> nn.Linear:
    """The layer before training (released code): weights from N(0, 0.01^2), biases 0."""
    layer = nn.Linear(num_features, num_classes)
    with torch.no_grad():
        layer.weight.normal_(std=0.01, generator=generator(seed, "probe-weights"))
        layer.bias.zero_()
    return layer


def draw_order(count: int, seed: int, epoch: int) -> Int64:
    """The order of `count` images in an epoch (from 1)."""
    order: Int64 = torch.randperm(count, generator=generator(seed, "probe-order", epoch - 1)).numpy()
    return order


def sgd_augmentation(image_size: int, flip_probability: float) -> Callable[[Tensor, torch.Generator], Tensor]:
    """The published augmentation for images of this side, in pixels.

    CIFAR: 4 black pixels around, a window of the image's size, and a flip. Images of another size
    get an eighth of their side, as 4 is of 32. Shifts by 4 would cut off half of an 8 px image.
    ImageNet-100 and Places (224 px): a crop of 8-100 % of the area, resized bilinearly, and a flip.
    """
    if image_size < _LARGE:
        return PaddedCrop(round(image_size / 8), flip_probability)
    return BatchAugmenter(
        min_crop_scale=0.08,
        flip_probability=flip_probability,
        color_jitter=0.0,
        grayscale_probability=0.0,
        interpolation="bilinear",
    )


def sgd_batch_size(image_size: int) -> int:
    """The published batch size: 128 for CIFAR, 512 for ImageNet-100 and Places (224 px)."""
    return 512 if image_size >= _LARGE else 128


def _class_weights(labels: Int64, num_classes: int, device: torch.device) -> Tensor | None:
    weights_N = balanced_weights(labels)
    if np.all(weights_N == 1):
        return None
    weights_C = np.zeros(num_classes, dtype=np.float32)
    weights_C[labels] = weights_N
    return torch.from_numpy(weights_C).to(device)


@torch.no_grad()
def _predict(layer: nn.Linear, features: Tensor) -> Tensor:
    scores: Tensor = layer(features)
    return scores.argmax(dim=1)
