"""COLT in your own SimCLR loop, without our trainer, framework or augmentation.

    python examples/plain_simclr.py

The loop is plain PyTorch and torchvision. It takes half a minute on two cores. Lines that turn
SimCLR into COLT are marked with "COLT". The long-tailed data are handwritten digits, with ten times
as many zeros as nines. The pool has drawn letters and patches of photographs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.utils.data import DataLoader, Dataset
from torchvision.models import resnet18
from torchvision.transforms import v2

from colt_core import (
    ColtSampler,
    DatasetSpec,
    LongTail,
    PoolSpec,
    PretrainConfig,
    TailnessTracker,
    build_dataset,
    build_pool,
    distribution_contrastive,
    negative_tailness,
    nt_xent,
    sample_labelled,
    sample_unlabelled,
    sampling_round,
)

TEMPERATURE, TOP_K, TAILNESS_MOMENTUM, ALPHA = 0.2, 10, 0.9, 0.2
SEED = 0

to_float = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.25] * 3)])
augment = v2.Compose([v2.RandomResizedCrop(32, scale=(0.4, 1)), v2.ColorJitter(0.4, 0.4, 0.4, 0.1), to_float])


class TwoViews(Dataset[tuple[Tensor, Tensor, int, bool]]):
    """Two views of each image, its index, and whether it is OOD.

    COLT: the picked images of the pool are added to the training images.
    """

    def __init__(self, images: Tensor, pool: Tensor, picked: NDArray[np.int64]) -> None:
        self.images, self.pool, self.picked = images, pool, picked

    def __len__(self) -> int:
        return len(self.images) + len(self.picked)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, int, bool]:
        is_ood = i >= len(self.images)
        index = int(self.picked[i - len(self.images)]) if is_ood else i
        image = self.pool[index] if is_ood else self.images[index]
        return augment(image), augment(image), index, is_ood


@torch.no_grad()
def embed(model: nn.Module, images: Tensor) -> Tensor:
    """(N, D) L2-normalised outputs in eval mode, without augmentation. COLT picks by these."""
    model.eval()
    z = torch.cat([model(to_float(part)) for part in images.split(256)])
    model.train()
    return normalize(z, dim=1)


class Result(NamedTuple):
    """The results of a run."""

    losses: list[float]  # mean contrastive loss of each epoch
    tailness: Tensor  # (N,)
    picked: NDArray[np.int64]  # (K,) pool indices of the last round
    ood_trained_on: set[int]  # pool indices that were in a batch


def main(
    epochs: int = 12,
    warmup_epochs: int = 4,
    sample_interval: int = 4,
    budget: int = 100,
    batch_size: int = 64,
    max_per_class: int = 100,
    pool_size: int = 2000,
) -> Result:
    """Train, and print the picks."""
    torch.manual_seed(SEED)
    long_tail = LongTail(profile="exp", imbalance_ratio=10, max_per_class=max_per_class)
    dataset = build_dataset(sample_labelled("digits"), DatasetSpec(long_tail=long_tail))
    images, labels = map(torch.from_numpy, dataset.part("train"))
    pool = torch.from_numpy(build_pool(sample_unlabelled("glyphs-and-patches"), PoolSpec()).images[-pool_size:])

    model = resnet18()
    model.fc = nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 128))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)

    tracker = TailnessTracker(len(images), TAILNESS_MOMENTUM)  # COLT: every training image's tailness
    rounds = PretrainConfig(num_clusters=10, sample_budget=budget, seed=SEED)  # COLT: the settings of sampling rounds
    picked = np.empty(0, dtype=np.int64)
    losses, ood_trained_on = [], set()

    for epoch in range(1, epochs + 1):
        if epoch > warmup_epochs and (epoch - warmup_epochs - 1) % sample_interval == 0:  # COLT: a sampling round
            number = (epoch - warmup_epochs - 1) // sample_interval + 1
            found = sampling_round(
                embed(model, images), embed(model, pool), tracker.scores(), ColtSampler(), rounds, number
            )
            picked = found["selected"]
            print(f"round {number}: picked {len(picked)} pool images, the first are {picked[:8].tolist()}")

        loader = DataLoader(TwoViews(images, pool, picked), batch_size, shuffle=True, drop_last=True)
        contrastive_sum = 0.0
        for view_1, view_2, index_B, is_ood_B in loader:
            z_2BD = normalize(model(torch.cat([view_1, view_2])), dim=1)
            contrastive, _ = nt_xent(z_2BD, TEMPERATURE)
            loss = contrastive
            if is_ood_B.any():  # COLT: keep the two distributions apart
                loss = loss + ALPHA * distribution_contrastive(z_2BD, is_ood_B, TEMPERATURE)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

            raw_B = negative_tailness(z_2BD.detach(), TEMPERATURE, TOP_K)  # COLT: the tailness of the batch's images
            tracker.update(index_B[~is_ood_B], raw_B[~is_ood_B])
            ood_trained_on.update(index_B[is_ood_B].tolist())
            contrastive_sum += contrastive.item()
        losses.append(contrastive_sum / len(loader))
        print(f"epoch {epoch}: {len(loader.dataset)} images, contrastive loss {losses[-1]:.3f}")

    tailness = tracker.scores()
    for c, name in enumerate(dataset.class_names):  # labels are needed only here
        print(f"class {name}: {dataset.class_counts[c]:>3} images, mean tailness {tailness[labels == c].mean():.3f}")
    return Result(losses, tailness, picked, ood_trained_on)


if __name__ == "__main__":
    main()
