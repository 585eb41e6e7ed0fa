"""SDCLR (Jiang et al., ICML 2021).

View 2 goes through a pruned copy of the encoder, which forgets the tail first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from colt_core.frameworks.framework import Framework, ViewOutputs
from colt_core.frameworks.pruned_branch import PrunedBranch
from colt_core.models import Backbone


class SDCLR(Framework):
    """One set of weights with two branches: dense for view 1, pruned for view 2.

    The pruned branch fails on samples that are learned least, so they weigh more in the loss.
    Gradients flow through both branches. `embed` and the backbone's own forward pass use the dense
    one. Each branch has its own batch norms, also in the projection head, with statistics of its
    own view.

    Args:
        prune_share: p, the share of all convolution weights that is pruned.
    """

    def __init__(self, backbone: Backbone, projector: nn.Module, prune_share: float = 0.9) -> None:
        super().__init__(backbone, projector)
        self.prune_share = prune_share
        self.pruned_backbone = PrunedBranch(backbone)
        self.pruned_projector = PrunedBranch(projector)

    def begin_epoch(self, epoch: int) -> None:
        """Prune again, by the current weights."""
        super().begin_epoch(epoch)
        self.pruned_backbone.prune(self.backbone, self.prune_share)

    def forward(self, views_2B3SS: Tensor) -> ViewOutputs:
        """Stacked views -> embeddings: rows 0..B-1 dense, rows B..2B-1 pruned."""
        view1_B3SS, view2_B3SS = views_2B3SS.chunk(2)
        pruned_BD = self.pruned_projector(self.projector, self.pruned_backbone(self.backbone, view2_B3SS))
        return ViewOutputs(torch.cat([self.embed(view1_B3SS), nn.functional.normalize(pruned_BD.float(), dim=1)]))
