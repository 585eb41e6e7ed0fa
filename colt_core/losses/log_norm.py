"""The normaliser norm_i over all other embeddings, which L_CL and the released L_SCL share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from colt_core.losses.inputs import checked_embeddings


def similarity_softmax(z_2BD: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """log norm_i, with norm_i = sum over a != i of exp(z_i . z_a / tau), and p_ij.

    norm_i has 2B - 1 terms, including the positive. Losses and tailness share the 2B x 2B matrix
    that is computed here. Pass the first result to `nt_xent` and `distribution_contrastive`, and
    the second to `negative_tailness`.

    Args:
        z_2BD: L2-normalised embeddings, two stacked views.
        temperature: tau.

    Returns:
        log norm (2B,), differentiable once, and p_ij = exp(s_ij / tau) / norm_i, (2B, 2B). p has a
        diagonal of 0 and no gradient. Both are float32, or float64 for float64 embeddings. Do not
        change p in place: the gradient of log norm needs it.

    Raises:
        ValueError: if the rows are not two stacked views, or the temperature is not positive.
    """
    norm_2B, p_ij = _LogNorm.apply(checked_embeddings(z_2BD, temperature), temperature)
    return norm_2B, p_ij


def log_norm(z_2BD: Tensor, temperature: float) -> Tensor:
    """Only the first result of `similarity_softmax`."""
    return similarity_softmax(z_2BD, temperature)[0]


class _LogNorm(torch.autograd.Function):
    """log norm with a backward that keeps one 2B x 2B matrix; autograd's would keep several."""

    @staticmethod
    def forward(ctx: Any, z_2BD: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        with torch.autocast(z_2BD.device.type, enabled=False):
            p_ij = (z_2BD / temperature) @ z_2BD.T
        p_ij.fill_diagonal_(-torch.inf)
        largest_2B1 = p_ij.amax(dim=1, keepdim=True)
        p_ij.sub_(largest_2B1).exp_()
        total_2B1 = p_ij.sum(dim=1, keepdim=True)
        p_ij.div_(total_2B1)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(z_2BD, p_ij)
            ctx.temperature = temperature
        ctx.mark_non_differentiable(p_ij)
        ctx.set_materialize_grads(False)  # avoids a 2B x 2B matrix of zeros as p_ij's gradient in backward
        return (largest_2B1 + total_2B1.log()).squeeze(1), p_ij

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_2B: Tensor | None, _: None) -> tuple[Tensor | None, None]:
        if grad_2B is None:
            return None, None
        z_2BD, p_ij = ctx.saved_tensors
        grad_2B1 = (grad_2B / ctx.temperature).unsqueeze(1)
        # s_ij depends on z_i and z_j, so row i's softmax contributes to both gradients.
        with torch.autocast(z_2BD.device.type, enabled=False):
            return grad_2B1 * (p_ij @ z_2BD) + p_ij.T @ (grad_2B1 * z_2BD), None
