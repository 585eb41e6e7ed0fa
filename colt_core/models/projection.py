"""The projection head between the backbone's features and the contrastive loss."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


class ProjectionHead(nn.Sequential):
    """Linear(d, d) + BN + ReLU + Linear(d, projection_dim, no bias) + BN (the released COLT code).

    Features (B, d) -> (B, projection_dim), not normalised. Not used after pretraining.
    """

    def __init__(self, num_features: int, projection_dim: int = 128) -> None:
        super().__init__(
            OrderedDict(
                fc1=nn.Linear(num_features, num_features),
                bn1=nn.BatchNorm1d(num_features),
                relu=nn.ReLU(inplace=True),
                fc2=nn.Linear(num_features, projection_dim, bias=False),
                bn2=nn.BatchNorm1d(projection_dim),
            )
        )
