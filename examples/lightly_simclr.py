"""COLT on a LightlySSL model: SimCLR as in lightly's example, with our tracker, sampler and loss.

    pip install lightly
    python examples/lightly_simclr.py

It takes half a minute on two cores. Lines that turn SimCLR into COLT are marked with "COLT". The
data are those of plain_simclr.py.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from lightly.data import LightlyDataset
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms import SimCLRTransform
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.utils.data import DataLoader, Dataset
from torchvision.models import resnet18

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
    sample_labelled,
    sample_unlabelled,
    sampling_round,
)
from colt_core import normalize as standardize

TEMPERATURE, TOP_K, TAILNESS_MOMENTUM, ALPHA = 0.2, 10, 0.9, 0.2
SEED = 0


class SimCLR(nn.Module):
    """SimCLR as in lightly's example."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(*list(resnet18().children())[:-1])
        self.projection_head = SimCLRProjectionHead(512, 512, 128)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 128), not normalised."""
        z: Tensor = self.projection_head(self.backbone(images).flatten(start_dim=1))
        return z


class Numbered(Dataset[tuple[list[Tensor], int]]):
    """Views of each image, with its position instead of a label.

    COLT must know which image a row of a batch is.
    """

    def __init__(self, images: NDArray[np.uint8], transform: SimCLRTransform) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> tuple[list[Tensor], int]:
        return self.transform(Image.fromarray(self.images[position].transpose(1, 2, 0))), position


@torch.no_grad()
def embed(model: nn.Module, images: NDArray[np.uint8]) -> Tensor:
    """(N, D) L2-normalised outputs in eval mode, without augmentation. COLT picks by these."""
    model.eval()
    z = torch.cat([model(standardize(part)) for part in torch.from_numpy(images).split(256)])
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
    images, _ = build_dataset(sample_labelled("digits"), DatasetSpec(long_tail=long_tail)).part("train")
    pool = build_pool(sample_unlabelled("glyphs-and-patches"), PoolSpec()).images[-pool_size:]

    model = SimCLR()
    transform = SimCLRTransform(input_size=32, min_scale=0.4, hf_prob=0.0, gaussian_blur=0.0, cj_strength=0.5)
    criterion = NTXentLoss(TEMPERATURE)
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

        together = np.concatenate([images, pool[picked]])  # COLT: the picked images follow those of the training part
        dataset = LightlyDataset.from_torch_dataset(Numbered(together, transform))
        loader = DataLoader(dataset, batch_size, shuffle=True, drop_last=True)
        contrastive_sum = 0.0
        for (view_1, view_2), position_B, _ in loader:
            z_1, z_2 = model(view_1), model(view_2)
            contrastive = criterion(z_1, z_2)
            loss = contrastive
            z_2BD = normalize(torch.cat([z_1, z_2]), dim=1)
            is_ood_B = position_B >= len(images)
            if is_ood_B.any():  # COLT: keep the two distributions apart
                loss = loss + ALPHA * distribution_contrastive(z_2BD, is_ood_B, TEMPERATURE)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

            raw_B = negative_tailness(z_2BD.detach(), TEMPERATURE, TOP_K)  # COLT: the tailness of the batch's images
            tracker.update(position_B[~is_ood_B], raw_B[~is_ood_B])
            ood_trained_on.update(picked[position_B[is_ood_B].numpy() - len(images)].tolist())
            contrastive_sum += contrastive.item()
        losses.append(contrastive_sum / len(loader))
        print(f"epoch {epoch}: {len(together)} images, contrastive loss {losses[-1]:.3f}")
    return Result(losses, tracker.scores(), picked, ood_trained_on)


if __name__ == "__main__":
    main()
