"""Loss and tailness of one batch, against the same formulas written plainly:  python -m benchmarks.losses

Plainly: similarities masked by copies (as in the common SimCLR and SupCon code), tailness sample by sample.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.timing import median_ms, print_table
from colt_core.losses import distribution_contrastive, log_norm, nt_xent
from colt_core.tailness import TailnessTracker, negative_tailness

TEMPERATURE, ALPHA, TOP_K, DIM, OOD_SHARE = 0.2, 0.2, 10, 128, 0.4


def plain_loss(z_2BD: Tensor, is_ood_B: Tensor) -> Tensor:
    """L_CL + alpha * L_SCL ("all") through boolean masks and masked copies."""
    size = len(z_2BD)
    exponentials = torch.exp(z_2BD @ z_2BD.T / TEMPERATURE)
    others = ~torch.eye(size, dtype=torch.bool)
    norms = exponentials.masked_select(others).view(size, -1).sum(dim=1)
    positives = torch.exp((z_2BD * z_2BD.roll(size // 2, 0)).sum(dim=1) / TEMPERATURE)
    contrastive = -torch.log(positives / norms).mean()
    is_ood_2B = is_ood_B.repeat(2)
    same = (is_ood_2B[:, None] == is_ood_2B) & others
    log_probability = torch.log(exponentials / norms[:, None])
    distribution = -((log_probability * same).sum(dim=1) / same.sum(dim=1)).mean()
    return contrastive + ALPHA * distribution


def our_loss(z_2BD: Tensor, is_ood_B: Tensor) -> Tensor:
    """The same, as the training loop computes it."""
    shared = log_norm(z_2BD, TEMPERATURE)
    distribution = distribution_contrastive(z_2BD, is_ood_B, TEMPERATURE, "all", shared)
    return nt_xent(z_2BD, TEMPERATURE, shared)[0] + ALPHA * distribution


def plain_tailness(z_2BD: Tensor, history: dict[int, float]) -> None:
    """Sorted and averaged in a loop over the samples."""
    batch_size = len(z_2BD) // 2
    exponentials = torch.exp(z_2BD @ z_2BD.T / TEMPERATURE)
    exponentials.fill_diagonal_(0)
    p_ij = exponentials / exponentials.sum(dim=1, keepdim=True)
    for sample in range(batch_size):
        p_2B = (p_ij[sample] + p_ij[sample + batch_size]) / 2
        p_2B[[sample, sample + batch_size]] = 0
        score = -float(p_2B.sort(descending=True).values[:TOP_K].sum())
        history[sample] = 0.97 * history[sample] + 0.03 * score if sample in history else score


def our_tailness(z_2BD: Tensor, tracker: TailnessTracker) -> None:
    """One top-k and one index update."""
    tracker.update(torch.arange(len(z_2BD) // 2), negative_tailness(z_2BD, TEMPERATURE, TOP_K))


def forward_backward(loss: Callable[[Tensor, Tensor], Tensor], leaf: Tensor, is_ood_B: Tensor) -> None:
    """One loss and its gradient."""
    leaf.grad = None
    loss(leaf, is_ood_B).backward()  # type: ignore[no-untyped-call]


def main() -> None:
    """Print one table: milliseconds, and how many times faster ours is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.losses", description=__doc__.split("\n")[0])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    rows = []
    for batch_size in options.batch_sizes:
        generator = torch.Generator().manual_seed(0)
        z_2BD = torch.nn.functional.normalize(torch.randn(2 * batch_size, DIM, generator=generator), dim=1)
        is_ood_B = torch.rand(batch_size, generator=generator) < OOD_SHARE
        leaf = z_2BD.clone().requires_grad_()
        torch.testing.assert_close(our_loss(leaf, is_ood_B), plain_loss(leaf, is_ood_B))
        tracker = TailnessTracker(batch_size, 0.97)
        history: dict[int, float] = {}
        for name, plain, ours in (
            (
                "loss, forward + backward",
                partial(forward_backward, plain_loss, leaf, is_ood_B),
                partial(forward_backward, our_loss, leaf, is_ood_B),
            ),
            ("tailness", partial(plain_tailness, z_2BD, history), partial(our_tailness, z_2BD, tracker)),
        ):
            slow, fast = median_ms(plain, options.repeats), median_ms(ours, options.repeats)
            rows.append([name, str(batch_size), f"{slow:.2f}", f"{fast:.2f}", f"{slow / fast:.1f}x"])
    print_table("Loss with the domain term, and tailness", ["what", "B", "plain, ms", "ours, ms", "ratio"], rows)


if __name__ == "__main__":
    main()
