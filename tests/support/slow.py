"""Slow references: loops that follow the formulas step by step."""

from __future__ import annotations

import torch
from torch import Tensor


def slow_nt_xent(z: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    n = len(z)
    batch_size = n // 2
    per_anchor = []
    for i in range(n):
        partner = (i + batch_size) % n
        norm = sum(torch.exp(z[i] @ z[a] / tau) for a in range(n) if a != i)
        per_anchor.append(-(z[i] @ z[partner]) / tau + torch.log(norm))
    per_sample = torch.stack([(per_anchor[b] + per_anchor[b + batch_size]) / 2 for b in range(batch_size)])
    return torch.stack(per_anchor).mean(), per_sample
