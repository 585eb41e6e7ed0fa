"""Contrastive losses on stacked, L2-normalised embeddings.

Rows 0..B-1 are view 1, rows B..2B-1 view 2.
"""

from colt_core.losses.distribution import distribution_contrastive
from colt_core.losses.log_norm import log_norm, similarity_softmax
from colt_core.losses.nt_xent import nt_xent

__all__ = ["distribution_contrastive", "log_norm", "nt_xent", "similarity_softmax"]
