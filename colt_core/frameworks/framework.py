"""The interface between the training loop and contrastive frameworks."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from colt_core.batch import Batch
from colt_core.config import PretrainConfig
from colt_core.losses import nt_xent, similarity_softmax
from colt_core.models import Backbone, Encoder


@dataclass(frozen=True, slots=True)
class ViewOutputs:
    """The outputs of a forward pass over both views of a batch.

    A framework that needs more outputs subclasses this. All fields are tensors whose rows are
    stacked views: rows 0..B-1 are view 1, rows B..2B-1 view 2. The loop gathers each field from all
    ranks.
    """

    z: Tensor  # (2B, D) float32, L2-normalised embeddings, for tailness and the distribution-level loss


@dataclass(frozen=True, slots=True)
class ContrastiveLoss:
    """A framework's own loss of a batch."""

    mean: Tensor  # scalar that is minimised
    per_sample: Tensor  # (B,) each sample's own loss
    log_norm: Tensor | None = None  # (2B,) of `similarity_softmax`, if the loss uses it
    probability: Tensor | None = None  # (2B, 2B) of the same; tailness then needs no second softmax


class Framework(Encoder, ABC):
    """A backbone with a projection head, and the loss that trains them.

    A framework's state between steps (a pruning mask, per-sample losses, a queue) must be buffers.
    They are then part of `state_dict`, so a resumed run is exact. Parameters that the optimiser
    must not change have `requires_grad` False.
    """

    def __init__(self, backbone: Backbone, projector: nn.Module) -> None:
        super().__init__(backbone)
        self.projector = projector

    @classmethod
    def of(cls, config: PretrainConfig, backbone: Backbone, projector: nn.Module, num_train: int) -> Self:
        """The framework of a configuration.

        The default passes all settings of the framework by name.

        Args:
            num_train: images of the training part.
        """
        return cls(backbone, projector, **config.framework.model_dump())

    def begin_epoch(self, epoch: int) -> None:
        """Called before an epoch's first step (1-based), but not if a run resumes within it."""

    def augmentation_strength(self, index_B: Tensor, is_ood_B: Tensor) -> Tensor | None:
        """RandAugment's strength for each sample of a batch, (B,) in 0..1 on the host. None: off.

        Args:
            index_B: int64, position in the training part, or in the pool if `is_ood_B`.
        """
        return None

    @abstractmethod
    def forward(self, views_2B3SS: Tensor) -> ViewOutputs:
        """Outputs of both views, stacked: rows 0..B-1 are view 1, rows B..2B-1 view 2."""

    def loss(self, outputs: ViewOutputs, batch: Batch, temperature: float) -> ContrastiveLoss:
        """L_CL of a whole batch. Default: NT-Xent of its embeddings (SimCLR, Chen et al. 2020).

        Args:
            outputs: outputs of `forward`, gathered from all ranks.
            batch: the whole batch's index and is_ood, but only this rank's images.
            temperature: tau.
        """
        log_norm_2B, probability_2B2B = similarity_softmax(outputs.z, temperature)
        mean, per_sample_B = nt_xent(outputs.z, temperature, log_norm_2B, probability_2B2B)
        return ContrastiveLoss(mean, per_sample_B, log_norm_2B, probability_2B2B)

    def constant_loss(self, batch_size: int) -> float | None:
        """L_CL of a batch whose embeddings are all equal: ln(2B - 1) for NT-Xent.

        A run with such a loss has collapsed. None: not known, as for a subclass with a loss of its
        own that does not override this.
        """
        return math.log(2 * batch_size - 1) if type(self).loss is Framework.loss else None

    def after_step(self, outputs: ViewOutputs, batch: Batch) -> None:
        """Called after every optimiser step with what its loss was of.

        Momentum encoders, queues and averages over samples are updated here.
        """

    def observe(self, index_B: Tensor, is_ood_B: Tensor, loss_B: Tensor) -> None:
        """Called after a full batch's step with each sample's contrastive loss (B,)."""

    def embed(self, images_B3SS: Tensor) -> Tensor:
        """Images -> z (B, D), L2-normalised.

        They are float32 also under autocast, since the loss takes differences of them.
        """
        return nn.functional.normalize(self.projector(self.backbone(images_B3SS)).float(), dim=1)
