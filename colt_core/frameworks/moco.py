"""MoCo v2 (He et al., CVPR 2020; Chen et al., arXiv 2003.04297).

It has a momentum encoder and a queue of its keys.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from colt_core.batch import Batch
from colt_core.config import PretrainConfig
from colt_core.frameworks.framework import ContrastiveLoss, Framework, ViewOutputs
from colt_core.models import Backbone


@dataclass(frozen=True, slots=True)
class MoCoOutputs(ViewOutputs):
    """Queries `z` of the trained encoder and keys of the momentum encoder."""

    keys: Tensor  # (2B, D) float32, L2-normalised, without gradient


class MoCo(Framework):
    """Compares a view's query with the other view's key and a queue of earlier keys.

    The key encoder follows the trained one: after each step theta_k <- m * theta_k + (1 - m) *
    theta_q. Its batch-norm statistics are over the two views together. All ranks share them, so
    keys need not be shuffled between GPUs as in the published code. The loss has both directions:
    view 1 -> key of view 2, and view 2 -> key of view 1. Embeddings and tailness are those of the
    trained encoder.

    Args:
        embedding_dim: D, dimensions of the projector's outputs.
        queue_size: Q, keys of earlier batches that serve as negatives. At first they are random
            unit vectors.
        key_momentum: m, share of the key encoder that stays at each step.
    """

    def __init__(
        self,
        backbone: Backbone,
        projector: nn.Module,
        embedding_dim: int,
        queue_size: int = 4096,
        key_momentum: float = 0.99,
    ) -> None:
        super().__init__(backbone, projector)
        self.key_momentum = key_momentum
        self.key_backbone = deepcopy(backbone).requires_grad_(False)
        self.key_projector = deepcopy(projector).requires_grad_(False)
        self.queue_QD = nn.Buffer(nn.functional.normalize(torch.randn(queue_size, embedding_dim), dim=1))
        self.oldest = nn.Buffer(torch.zeros((), dtype=torch.int64))  # index of the oldest key

    @classmethod
    def of(cls, config: PretrainConfig, backbone: Backbone, projector: nn.Module, num_train: int) -> Self:
        """The framework of a configuration. torch's generator draws the first queue."""
        return cls(backbone, projector, config.projection_dim, **config.framework.model_dump())

    def forward(self, views_2B3SS: Tensor) -> MoCoOutputs:
        """Stacked views -> queries with gradient, and keys without."""
        with torch.no_grad():
            keys_2BD = self.key_projector(self.key_backbone(views_2B3SS)).float()
        return MoCoOutputs(self.embed(views_2B3SS), nn.functional.normalize(keys_2BD, dim=1))

    def loss(self, outputs: ViewOutputs, batch: Batch, temperature: float) -> ContrastiveLoss:
        """InfoNCE: -log( exp(q.k+ / tau) / (exp(q.k+ / tau) + sum of exp(q.k / tau)) ).

        The sum is over the queue's keys.
        """
        assert isinstance(outputs, MoCoOutputs)
        other_view_2BD = torch.cat(outputs.keys.chunk(2)[::-1])
        positive_2B1 = (outputs.z * other_view_2BD).sum(dim=1, keepdim=True)
        negatives_2BQ = outputs.z @ self.queue_QD.to(outputs.z.dtype).T
        logits = torch.cat([positive_2B1, negatives_2BQ], dim=1) / temperature
        per_sample_B = (logits.logsumexp(dim=1) - logits[:, 0]).view(2, -1).mean(dim=0)
        return ContrastiveLoss(per_sample_B.mean(), per_sample_B)

    def constant_loss(self, batch_size: int) -> float:
        """ln(1 + Q), once the queue is full of the same key."""
        return math.log(1 + len(self.queue_QD))

    @torch.no_grad()
    def after_step(self, outputs: ViewOutputs, batch: Batch) -> None:
        """Update the key encoder, and replace the queue's oldest keys by the batch's."""
        assert isinstance(outputs, MoCoOutputs)
        trained = [*self.backbone.parameters(), *self.projector.parameters()]
        following = [*self.key_backbone.parameters(), *self.key_projector.parameters()]
        for key, query in zip(following, trained, strict=True):
            key.mul_(self.key_momentum).add_(query, alpha=1 - self.key_momentum)
        size = len(self.queue_QD)
        newest_nD = outputs.keys[-size:].to(self.queue_QD.dtype)
        places_n = (self.oldest + torch.arange(len(newest_nD), device=self.oldest.device)) % size
        self.queue_QD[places_n] = newest_nD
        self.oldest.copy_((self.oldest + len(newest_nD)) % size)
