"""What the training loop asks of a contrastive framework; SimCLR, SDCLR and BCL differ only behind this."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from colt_core.models import Backbone


class Framework(nn.Module, ABC):
    """A backbone with a projection head, and how two views become embeddings.

    Whatever a framework carries from step to step (a pruning mask, per-sample losses) is registered as a buffer, so
    that it travels with `state_dict` and a resumed run is exact.
    """

    def __init__(self, backbone: Backbone, projector: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.projector = projector

    def begin_epoch(self, epoch: int) -> None:
        """Called before the first step of an epoch (1-based), but not when a run resumes inside it."""

    def augmentation_strength(self, index_B: Tensor, is_ood_B: Tensor) -> Tensor | None:
        """How strongly RandAugment is to work on each sample of a batch, (B,) in 0..1 on the host; None for not at all.

        Args:
            index_B: int64, position in the training part, or in the pool where `is_ood_B`.
        """
        return None

    def observe(self, index_B: Tensor, is_ood_B: Tensor, loss_B: Tensor) -> None:
        """Take in each sample's own contrastive loss (B,), after a full batch's step."""

    @abstractmethod
    def forward(self, views_2B3SS: Tensor) -> Tensor:
        """Both augmented views, stacked (rows 0..B-1 view 1, B..2B-1 view 2) -> z (2B, D), float32, L2-normalised."""

    def embed(self, images_B3SS: Tensor) -> Tensor:
        """Images -> z (B, D), L2-normalised, in float32 also under autocast: the loss takes differences of these."""
        return nn.functional.normalize(self.projector(self.backbone(images_B3SS)).float(), dim=1)
