"""SimCLR (Chen et al., ICML 2020): one encoder, both views through it in one batch."""

from __future__ import annotations

from torch import Tensor

from colt_core.frameworks.framework import Framework


class SimCLR(Framework):
    """Batch-norm statistics are taken over the two views together, as in the released COLT code."""

    def forward(self, views_2B3SS: Tensor) -> Tensor:
        """Stacked views -> z (2B, D), float32, L2-normalised."""
        return self.embed(views_2B3SS)
