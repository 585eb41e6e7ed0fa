"""L_SCL: the supervised contrastive loss that keeps ID and OOD embeddings apart."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from colt_core.losses.inputs import checked_embeddings, checked_ood_mask
from colt_core.losses.log_norm import log_norm


def distribution_contrastive(
    z_2BD: Tensor,
    is_ood_B: Tensor,
    temperature: float,
    denominator: Literal["all", "cross_domain"] = "all",
    log_norm_2B: Tensor | None = None,
) -> Tensor:
    """L_SCL of COLT (Bai et al. 2023).

    phi is the distribution, ID or OOD, and P(i) all other embeddings of i's distribution.

    - "all" (released code): mean_i 1/|P(i)| sum_{p in P(i)} -log( exp(s_ip/tau) / norm_i )
    - "cross_domain" (paper): mean_i 1/|P(i)| sum_{p in P(i)} -log( exp(s_ip/tau) / (exp(s_ip/tau) +
      sum_{n of other phi} exp(s_in/tau)) )

    The loss is finite for every mask, since a sample's second view is always in P(i). Without an
    OOD sample it is 0: the method has no such term for a batch of only ID samples. With only OOD
    samples the formulas hold unchanged. There is no other distribution then, so "cross_domain" is
    0; "all" is as in the released code.

    Args:
        z_2BD: L2-normalised embeddings, two stacked views. They are used in float32, also under
            autocast.
        is_ood_B: bool, which samples of the batch are OOD.
        temperature: tau.
        denominator: which embeddings a positive competes with.
        log_norm_2B: `log_norm(z_2BD, temperature)`, if it is available. "cross_domain" does not use
            it.

    Returns:
        A scalar, not yet weighted by alpha.

    Raises:
        ValueError: if embeddings, mask, temperature or denominator have a wrong shape, type or
            value.
    """
    z_2BD = checked_embeddings(z_2BD, temperature)
    is_ood_2B = checked_ood_mask(is_ood_B, z_2BD)
    if denominator not in ("all", "cross_domain"):
        raise ValueError(f"denominator must be 'all' or 'cross_domain', not {denominator!r}")
    if not is_ood_B.any():
        return z_2BD.sum() * 0.0
    if denominator == "cross_domain":
        with torch.autocast(z_2BD.device.type, enabled=False):
            loss: Tensor = _CrossDomain.apply(z_2BD, is_ood_2B, 2 * int(is_ood_B.sum()), temperature)
        return loss
    if log_norm_2B is None:
        log_norm_2B = log_norm(z_2BD, temperature)
    return (log_norm_2B - _mean_positive_logit(z_2BD, is_ood_2B, temperature)).mean()


def _mean_positive_logit(z_2BD: Tensor, is_ood_2B: Tensor, temperature: float) -> Tensor:
    """(2B,) mean over p in P(i) of s_ip / tau.

    It needs only each distribution's sum of embeddings, and no 2B x 2B mask.
    """
    is_ood_2B1 = is_ood_2B.unsqueeze(1)
    id_sum_D, ood_sum_D = ((z_2BD * mask_2B1).sum(dim=0) for mask_2B1 in (~is_ood_2B1, is_ood_2B1))
    num_ood = is_ood_2B.sum()
    num_positives_2B = torch.where(is_ood_2B, num_ood, is_ood_2B.numel() - num_ood) - 1
    others_2BD = torch.where(is_ood_2B1, ood_sum_D, id_sum_D) - z_2BD
    return (z_2BD * others_2BD).sum(dim=1) / (num_positives_2B * temperature)


class _CrossDomain(torch.autograd.Function):
    """The "cross_domain" loss, with its gradient in closed form.

    The forward pass computes the gradient from its similarities. With N_i = sum_n exp(s_in/tau),
    every term is softplus(log N_i - s_ip/tau).
    """

    @staticmethod
    def forward(ctx: Any, z_2BD: Tensor, is_ood_2B: Tensor, num_ood: int, temperature: float) -> Tensor:
        # Sorted by distribution, positives and negatives are contiguous blocks instead of masks.
        order_2B = is_ood_2B.long().argsort(stable=True)
        z_sorted = z_2BD[order_2B]
        logits = (z_sorted / temperature) @ z_sorted.T
        num_id = len(logits) - num_ood
        id_rows, ood_rows = slice(0, num_id), slice(num_id, None)
        total = z_2BD.new_zeros(())
        for own, other in ((id_rows, ood_rows), (ood_rows, id_rows)):
            total += _replace_by_gradient(logits[own, own], logits[own, other])
        mean = total / len(logits)
        if ctx.needs_input_grad[0]:
            grad_sorted = (logits @ z_sorted).add_(logits.T @ z_sorted).div_(temperature * len(logits))
            ctx.save_for_backward(torch.empty_like(grad_sorted).index_copy_(0, order_2B, grad_sorted))
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (grad_2BD,) = ctx.saved_tensors
        return grad * grad_2BD, None, None, None


def _replace_by_gradient(positives: Tensor, negatives: Tensor) -> Tensor:
    """Sum the losses of one distribution's anchors, and overwrite the logits by its gradient.

    Args:
        positives: (n, n) logits of the anchors among themselves.
        negatives: (n, m) logits to the other distribution; m = 0 gives loss and gradient 0.
    """
    if negatives.numel() == 0:
        positives.zero_()
        return positives.sum()
    num_positives = len(positives) - 1
    log_sum_n1 = negatives.logsumexp(dim=1, keepdim=True)
    margins = positives.neg_().add_(log_sum_n1).fill_diagonal_(-torch.inf)  # an anchor is not its own positive
    # softplus. torch's own is eight times slower on a CPU. It is exact for tiny terms too, which a
    # sum does not need.
    softplus = margins.abs().neg_().exp_().add_(1).log_().add_(margins.clamp_min(0))
    total = softplus.sum() / num_positives
    pull = margins.sigmoid_().div_(num_positives)
    push_n1 = pull.sum(dim=1, keepdim=True)
    negatives.sub_(log_sum_n1).exp_().mul_(push_n1)
    pull.neg_()
    return total
