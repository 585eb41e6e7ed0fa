"""Geometric Harmonization (Zhou et al., NeurIPS 2023), on SimCLR.

It pulls images towards fixed directions at equal angles, the groups of which it finds itself. Head
groups then cannot take more of the space than tail groups.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor, nn

from colt_core.batch import Batch
from colt_core.config import PretrainConfig
from colt_core.frameworks.framework import ContrastiveLoss, ViewOutputs
from colt_core.frameworks.kinds import GhSettings
from colt_core.frameworks.simclr import SimCLR
from colt_core.models import Backbone
from colt_core.transfer import to_device

LABEL_TEMPERATURE = 0.1  # of the predicted labels
SHARPNESS, TURNS = 0.05, 300  # of Sinkhorn
MOMENTUM_BEFORE, MOMENTUM_AFTER = 0.9, 0.999  # of a sample's average, before L_GH begins and after
RENEWALS = 50  # how often the labels' shares are counted again in a run
LEAST_SHARE = 1e-6


class GH(SimCLR):
    """SimCLR with L = L_CL + w L_GH.

    With K fixed unit directions W at equal angles, t = W z / |W z| for each view. Surrogate labels
    q are Sinkhorn's of the batch's t, with the shares pi of the K labels, and without gradient.
    L_GH is the cross entropy of softmax(t / 0.1) of one view against q of the other, averaged over
    both ways and over the ID samples.

    pi_k is the share of samples whose average t is largest at k. It is uniform at first, and
    counted at the start of every E/50-th epoch. A sample's average, of both views, is its first t
    at first. Its momentum is 0.9, and 0.999 once L_GH has begun.

    w is 0 in the first half of the run, and then rises by 1 / `ramp_epochs` with each epoch, up to
    1.

    OOD samples count for neither pi, nor Sinkhorn, nor L_GH. Images that a sampler repeats do not
    count again for the averages.

    Args:
        embedding_dim: D, dimensions of the projector's outputs.
        num_train: images of the training part.
        epochs: E, of the run.
        directions: K, at most D + 1.
        ramp_epochs: epochs in which w rises to 1.
    """

    def __init__(
        self,
        backbone: Backbone,
        projector: nn.Module,
        *,
        embedding_dim: int,
        num_train: int,
        epochs: int,
        directions: int = 100,
        ramp_epochs: int = 10,
    ) -> None:
        super().__init__(backbone, projector)
        self.epochs = epochs
        self.ramp_epochs = ramp_epochs
        self.directions_KD = nn.Buffer(equal_angles(directions, embedding_dim))
        self.share_K = nn.Buffer(torch.full((directions,), 1 / directions))
        self.average_NK = nn.Buffer(torch.zeros(num_train, directions))
        self.seen_N = nn.Buffer(torch.zeros(num_train, dtype=torch.bool))
        self.weight = nn.Buffer(torch.zeros(()))  # w of the current epoch

    @classmethod
    def of(cls, config: PretrainConfig, backbone: Backbone, projector: nn.Module, num_train: int) -> Self:
        """The framework of a configuration. torch's generator draws the directions."""
        settings = config.framework
        assert isinstance(settings, GhSettings)
        return cls(
            backbone,
            projector,
            embedding_dim=config.projection_dim,
            num_train=num_train,
            epochs=config.epochs,
            directions=settings.gh_directions,
            ramp_epochs=settings.gh_ramp_epochs,
        )

    def begin_epoch(self, epoch: int) -> None:
        """Set w, and count the labels' shares if it is time."""
        super().begin_epoch(epoch)
        self.weight.fill_(min(1.0, max(0.0, (epoch - self.epochs / 2) / self.ramp_epochs)))
        if (epoch - 1) % max(1, round(self.epochs / RENEWALS)) == 0 and self.seen_N.any():
            self.share_K.copy_(label_shares(self.average_NK[self.seen_N]))

    def loss(self, outputs: ViewOutputs, batch: Batch, temperature: float) -> ContrastiveLoss:
        """L_CL + w L_GH. Each sample's own loss is that of L_CL."""
        contrastive = super().loss(outputs, batch, temperature)
        is_id_B = to_device(~batch.is_ood, outputs.z.device)
        if not self.weight or batch.is_ood.all():
            return contrastive
        id_z = outputs.z.view(2, len(batch), -1)[:, is_id_B]
        harmonization = gh_loss(self._places(id_z), self.share_K)
        total = contrastive.mean + self.weight.to(outputs.z.dtype) * harmonization
        return ContrastiveLoss(total, contrastive.per_sample, contrastive.log_norm, contrastive.probability)

    def constant_loss(self, batch_size: int) -> float | None:
        """ln(2B - 1) as long as there is only L_CL; that of L_GH is not known."""
        return None if self.weight else math.log(2 * batch_size - 1)

    @torch.no_grad()
    def after_step(self, outputs: ViewOutputs, batch: Batch) -> None:
        """Add the ID samples' t to their averages, once in an epoch."""
        if not batch.first_pass:
            return
        counts_B = ~batch.is_added
        index_b = to_device(batch.index[counts_B], self.average_NK.device)
        both_2BD = outputs.z.detach().view(2, len(batch), -1)
        new_bK = self._places(both_2BD[:, to_device(counts_B, both_2BD.device)]).mean(dim=0).to(self.average_NK.dtype)
        momentum = torch.where(self.weight > 0, MOMENTUM_AFTER, MOMENTUM_BEFORE)
        averaged_bK = momentum * self.average_NK[index_b] + (1 - momentum) * new_bK
        self.average_NK[index_b] = torch.where(self.seen_N[index_b].unsqueeze(1), averaged_bK, new_bK)
        self.seen_N[index_b] = True

    def _places(self, z_2bD: Tensor) -> Tensor:
        """(2, b, K) t of both views."""
        places_2bK: Tensor = z_2bD @ self.directions_KD.to(z_2bD.dtype).T
        return nn.functional.normalize(places_2bK, dim=2)


def equal_angles(directions: int, dim: int) -> Tensor:
    """(K, D) unit vectors of which any two have the cosine -1 / (K - 1). torch's generator draws.

    They are the polar factor of a Gaussian matrix whose rows are centred, times sqrt(K / (K - 1)).

    Raises:
        ValueError: if there are fewer than 2, or more than D + 1.
    """
    if not 2 <= directions <= dim + 1:
        raise ValueError(f"directions must be in 2..{dim + 1} for {dim} dimensions, not {directions}")
    drawn_KD = torch.randn(directions, dim, dtype=torch.float64)
    u_Kr, _, v_rD = torch.linalg.svd(drawn_KD - drawn_KD.mean(dim=0), full_matrices=False)
    rank = directions - 1  # centred rows are dependent
    polar_KD = u_Kr[:, :rank] @ v_rD[:rank]
    unit_KD: Tensor = polar_KD * math.sqrt(directions / rank)
    return unit_KD.float()


def label_shares(average_nK: Tensor) -> Tensor:
    """(K,) share of the rows whose largest entry is at k. They are at least 1e-6, and sum to 1."""
    counts_K = torch.bincount(average_nK.argmax(dim=1), minlength=average_nK.shape[1])
    share_K = (counts_K / len(average_nK)).clamp(min=LEAST_SHARE)
    return share_K / share_K.sum()


def gh_loss(t_2BK: Tensor, share_K: Tensor) -> Tensor:
    """L_GH, a scalar: each view's labels against the other view's prediction.

    Args:
        t_2BK: t of both views.
        share_K: pi.
    """
    labels_2BK = surrogate_labels(t_2BK.detach(), share_K).flip(0).to(t_2BK.dtype)
    return -(labels_2BK * (t_2BK / LABEL_TEMPERATURE).log_softmax(dim=2)).sum(dim=2).mean()


@torch.no_grad()
def surrogate_labels(t_VBK: Tensor, share_K: Tensor) -> Tensor:
    """(V, B, K) float32 labels q of each view: rows sum to 1, and columns to nearly B pi.

    They are exp(t / 0.05), scaled by Sinkhorn's 300 turns: columns to their mass, then rows to 1.
    """
    with torch.autocast(t_VBK.device.type, enabled=False):
        logits = t_VBK.float() / SHARPNESS
        kernel = (logits - logits.amax(dim=2, keepdim=True)).exp()
        mass_K = (t_VBK.shape[1] * share_K.float()).view(1, -1, 1)
        row = torch.ones_like(kernel[:, :, :1])
        for _ in range(TURNS):
            column = mass_K / (kernel.mT @ row)
            row = 1 / (kernel @ column)
        return row * kernel * column.mT
