"""SimCLR (Chen et al., ICML 2020): one encoder takes both views in one batch."""

from __future__ import annotations

from torch import Tensor

from colt_core.frameworks.framework import Framework, ViewOutputs


class SimCLR(Framework):
    """Batch-norm statistics are over the two views together, as in the released COLT code."""

    def forward(self, views_2B3SS: Tensor) -> ViewOutputs:
        """Stacked views -> their embeddings."""
        return ViewOutputs(self.embed(views_2B3SS))
