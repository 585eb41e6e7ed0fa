"""What the training loop asks of a contrastive framework; all frameworks differ only behind this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from colt_core.batch import Batch
from colt_core.config import PretrainConfig
from colt_core.losses import nt_xent, similarity_softmax
from colt_core.models import Backbone


@dataclass(frozen=True, slots=True)
class ViewOutputs:
    """What a forward pass makes of both views of a batch.

    A framework that needs more subclasses this. All fields are tensors whose rows are stacked views: rows 0..B-1 are
    view 1, rows B..2B-1 view 2. The loop gathers each of them from all ranks.
    """

    z: Tensor  # (2B, D) float32, L2-normalised: the embeddings of tailness and of the distribution-level loss


@dataclass(frozen=True, slots=True)
class ContrastiveLoss:
    """A framework's own loss of a batch."""

    mean: Tensor  # scalar; its gradient is what the framework learns by
    per_sample: Tensor  # (B,) each sample's own loss
    log_norm: Tensor | None = None  # (2B,) of `similarity_softmax`, where the loss rests on it
    probability: Tensor | None = None  # (2B, 2B) likewise; tailness then needs no second softmax


class Framework(nn.Module, ABC):
    """A backbone with a projection head, how two views become embeddings, and the loss that they are trained by.

    Whatever a framework carries from step to step (a pruning mask, per-sample losses, a queue) is registered as a
    buffer. It then travels with `state_dict`, and a resumed run is exact.
    Parameters that the optimiser must leave alone have `requires_grad` False.
    """

    def __init__(self, backbone: Backbone, projector: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.projector = projector

    @classmethod
    def of(cls, config: PretrainConfig, backbone: Backbone, projector: nn.Module, num_train: int) -> Self:
        """The framework that a configuration describes.

        The default passes all settings of the framework on by name.

        Args:
            num_train: images of the training part.
        """
        return cls(backbone, projector, **config.framework.model_dump())

    def begin_epoch(self, epoch: int) -> None:
        """Called before the first step of an epoch (1-based), but not when a run resumes inside it."""

    def augmentation_strength(self, index_B: Tensor, is_ood_B: Tensor) -> Tensor | None:
        """How strongly RandAugment is to work on each sample of a batch, (B,) in 0..1 on the host; None for not at all.

        Args:
            index_B: int64, position in the training part, or in the pool where `is_ood_B`.
        """
        return None

    @abstractmethod
    def forward(self, views_2B3SS: Tensor) -> ViewOutputs:
        """Both augmented views, stacked (rows 0..B-1 view 1, B..2B-1 view 2) -> outputs of all rows."""

    def loss(self, outputs: ViewOutputs, batch: Batch, temperature: float) -> ContrastiveLoss:
        """L_CL of a whole batch. The default is NT-Xent of its embeddings (SimCLR, Chen et al. 2020).

        Args:
            outputs: of `forward`, gathered from all ranks.
            batch: its index and is_ood; the images are those of this rank alone.
            temperature: tau.
        """
        log_norm_2B, probability_2B2B = similarity_softmax(outputs.z, temperature)
        mean, per_sample_B = nt_xent(outputs.z, temperature, log_norm_2B)
        return ContrastiveLoss(mean, per_sample_B, log_norm_2B, probability_2B2B)

    def after_step(self, outputs: ViewOutputs) -> None:
        """Called after every optimiser step, with the gathered outputs: for momentum encoders and queues."""

    def observe(self, index_B: Tensor, is_ood_B: Tensor, loss_B: Tensor) -> None:
        """Take in each sample's own contrastive loss (B,), after a full batch's step."""

    def embed(self, images_B3SS: Tensor) -> Tensor:
        """Images -> z (B, D), L2-normalised, in float32 also under autocast: the loss takes differences of these."""
        return nn.functional.normalize(self.projector(self.backbone(images_B3SS)).float(), dim=1)
