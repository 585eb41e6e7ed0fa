"""SDCLR (Jiang et al., ICML 2021): view 2 goes through a pruned copy of the encoder, which forgets the tail first."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from colt_core.frameworks.framework import Framework, ViewOutputs
from colt_core.frameworks.pruned_branch import PrunedBranch
from colt_core.models import Backbone


class SDCLR(Framework):
    """One set of weights, two branches: view 1 through the dense one, view 2 through the pruned one.

    What the pruned branch gets wrong is what is learned least, so its samples weigh more in the loss. Gradients flow
    through both branches; `embed` and the backbone's own forward pass are the dense one. Each branch has its batch
    norms to itself, the projection head's too, and takes their statistics over its view.

    Args:
        prune_share: p, of all convolution weights together, which the pruned branch goes without.
    """

    def __init__(self, backbone: Backbone, projector: nn.Module, prune_share: float = 0.9) -> None:
        super().__init__(backbone, projector)
        self.prune_share = prune_share
        self.pruned_backbone = PrunedBranch(backbone)
        self.pruned_projector = PrunedBranch(projector)

    def begin_epoch(self, epoch: int) -> None:
        """Choose anew, by the weights as they are now, which ones the pruned branch goes without."""
        super().begin_epoch(epoch)
        self.pruned_backbone.prune(self.backbone, self.prune_share)

    def forward(self, views_2B3SS: Tensor) -> ViewOutputs:
        """Stacked views -> embeddings: rows 0..B-1 dense, rows B..2B-1 pruned."""
        view1_B3SS, view2_B3SS = views_2B3SS.chunk(2)
        pruned_BD = self.pruned_projector(self.projector, self.pruned_backbone(self.backbone, view2_B3SS))
        return ViewOutputs(torch.cat([self.embed(view1_B3SS), nn.functional.normalize(pruned_BD.float(), dim=1)]))
