"""SimCLR written plainly, to measure against: a loader of PIL images, float32, contiguous tensors, masked loss."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.augmentation import pil_transform


class TwoViews(Dataset[tuple[Tensor, Tensor]]):
    """Each image augmented twice when asked for."""

    def __init__(self, images: NDArray[np.uint8], transform: transforms.Compose) -> None:
        self.images = images.transpose(0, 2, 3, 1)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = Image.fromarray(self.images[index])
        return self.transform(image), self.transform(image)


def masked_loss(z: Tensor, temperature: float) -> Tensor:
    """L_CL through a masked copy of the exponentials."""
    size = len(z)
    exponentials = torch.exp(z @ z.T / temperature)
    norms = exponentials.masked_select(~torch.eye(size, dtype=torch.bool)).view(size, -1).sum(dim=1)
    positives = torch.exp((z * z.roll(size // 2, 0)).sum(dim=1) / temperature)
    return -torch.log(positives / norms).mean()


def train_epoch(
    encoder: nn.Module, images: NDArray[np.uint8], batch_size: int, loader_workers: int, temperature: float = 0.2
) -> None:
    """One epoch of SGD over the images."""
    loader = DataLoader(
        TwoViews(images, pil_transform(images.shape[-1])), batch_size, shuffle=True, num_workers=loader_workers
    )
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    encoder.train()
    for view1, view2 in loader:
        z = nn.functional.normalize(encoder(torch.cat([view1, view2])), dim=1)
        loss = masked_loss(z, temperature)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss.item()
