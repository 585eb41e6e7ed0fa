"""The linear probe of the released code: SGD on features of augmented images.

The best epoch on the validation images predicts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from colt_core.augment import BatchAugmenter
from colt_core.models import Backbone
from colt_core.probes.features import features_of
from colt_core.seeding import generator
from colt_core.training.device import Compute

UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]


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
    learning_rate: float = 30.0,
    batch_size: int = 128,
    flip_probability: float = 0.5,
    precision: str = "auto",
    seed: int = 0,
) -> Int64:
    """Train a linear layer on the frozen backbone (released code).

    SGD has momentum 0.9 and no weight decay. It sees features of randomly cropped and mirrored
    images, with batch norm in eval mode. The learning rate drops to a tenth after each epoch of
    `drops`. The layer of the epoch with the best validation top-1 (the first among equals)
    predicts.

    Args:
        backbone: on any device; its training mode is restored afterwards.
        images: (N, 3, S, S) uint8, possibly memory-mapped.
        labels: (N,) in 0..C-1.
        train, val, test: indices into images and labels, none of them empty.
        flip_probability: 0 if a mirrored image has another meaning.

    Returns:
        Predicted classes of the test images, in the order of `test`.
    """
    device = next(backbone.parameters()).device
    compute = Compute.choose(device.type, precision)
    val_features = torch.from_numpy(features_of(backbone, images, val, precision=precision)).to(device)
    val_labels = torch.from_numpy(labels[val]).to(device)
    layer = nn.Linear(backbone.num_features, int(labels.max()) + 1)
    with torch.no_grad():
        layer.weight.normal_(std=0.01, generator=generator(seed, "probe-weights"))
        layer.bias.zero_()
    layer.to(device)
    optimizer = torch.optim.SGD(layer.parameters(), lr=learning_rate, momentum=0.9)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(drops), gamma=0.1)
    augment = BatchAugmenter(
        min_crop_scale=0.2, flip_probability=flip_probability, color_jitter=0.0, grayscale_probability=0.0
    )
    best_right, best = -1, (layer.weight.detach().clone(), layer.bias.detach().clone())
    was_training = backbone.training
    backbone.eval()
    try:
        for epoch in range(epochs):
            order = train[torch.randperm(len(train), generator=generator(seed, "probe-order", epoch)).numpy()]
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                views = augment(
                    compute.images(torch.from_numpy(images[chosen])), generator(seed, "probe-augment", epoch, start)
                )
                with torch.no_grad(), compute.deterministic(), compute.autocast():
                    features = backbone(views)
                loss = cross_entropy(layer(features.float()), torch.from_numpy(labels[chosen]).to(device))
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            schedule.step()
            right = int((_predict(layer, val_features) == val_labels).sum())
            if right > best_right:
                best_right, best = right, (layer.weight.detach().clone(), layer.bias.detach().clone())
    finally:
        backbone.train(was_training)
    with torch.no_grad():
        layer.weight.copy_(best[0])
        layer.bias.copy_(best[1])
    test_features = torch.from_numpy(features_of(backbone, images, test, precision=precision)).to(device)
    predictions: Int64 = _predict(layer, test_features).cpu().numpy()
    return predictions


def sgd_batch_size(image_size: int) -> int:
    """The published batch size: 128 for CIFAR, 512 for ImageNet-100 and Places (224 px)."""
    return 512 if image_size >= 224 else 128


@torch.no_grad()
def _predict(layer: nn.Linear, features: Tensor) -> Tensor:
    scores: Tensor = layer(features)
    return scores.argmax(dim=1)
