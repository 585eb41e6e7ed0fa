"""Losses of a batch, forward and backward, compared with a plain implementation.

    python -m benchmarks.losses

The plain one masks similarities by copies, as the common SimCLR and SupCon code does. The
contrastive term is also compared with LightlySSL's NTXentLoss. All run in one process, with the
allocator settings of a worker's trainers.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
from lightly.loss import NTXentLoss
from torch import Tensor

from benchmarks.processes import apart
from benchmarks.report import Report
from benchmarks.timing import median_ms
from colt_core.config import PretrainConfig
from colt_core.frameworks.framework import ContrastiveLoss
from colt_core.losses import nt_xent, similarity_softmax
from colt_core.training.objective import step_losses

DIM, OOD_SHARE = 128, 0.3
CONFIG = PretrainConfig()
TEMPERATURE, ALPHA = CONFIG.temperature, CONFIG.distribution_loss_weight

Loss = Callable[[Tensor, Tensor], Tensor]


def plain_contrastive(z_2BD: Tensor, _: Tensor) -> Tensor:
    """L_CL through a masked copy of the exponentials."""
    return _contrastive(z_2BD, _exponentials(z_2BD))


def plain_all(z_2BD: Tensor, is_ood_B: Tensor) -> Tensor:
    """L_CL + alpha * L_SCL ("all") through boolean masks and masked copies."""
    exponentials = _exponentials(z_2BD)
    same = _same_distribution(is_ood_B)
    log_probability = torch.log(exponentials / _norms(exponentials)[:, None])
    distribution = -((log_probability * same).sum(dim=1) / same.sum(dim=1)).mean()
    return _contrastive(z_2BD, exponentials) + ALPHA * distribution


def plain_cross_domain(z_2BD: Tensor, is_ood_B: Tensor) -> Tensor:
    """L_CL + alpha * L_SCL ("cross_domain") in the same way."""
    exponentials = _exponentials(z_2BD)
    same = _same_distribution(is_ood_B)
    negatives = (exponentials * (~same & _others(len(same)))).sum(dim=1, keepdim=True)
    log_probability = torch.log(exponentials / (exponentials + negatives))
    distribution = -((log_probability * same).sum(dim=1) / same.sum(dim=1)).mean()
    return _contrastive(z_2BD, exponentials) + ALPHA * distribution


def _exponentials(z_2BD: Tensor) -> Tensor:
    return torch.exp(z_2BD @ z_2BD.T / TEMPERATURE)


def _contrastive(z_2BD: Tensor, exponentials: Tensor) -> Tensor:
    positives = torch.exp((z_2BD * z_2BD.roll(len(z_2BD) // 2, 0)).sum(dim=1) / TEMPERATURE)
    return -torch.log(positives / _norms(exponentials)).mean()


def _norms(exponentials: Tensor) -> Tensor:
    size = len(exponentials)
    return exponentials.masked_select(_others(size)).view(size, -1).sum(dim=1)


def _others(size: int) -> Tensor:
    return ~torch.eye(size, dtype=torch.bool)


def _same_distribution(is_ood_B: Tensor) -> Tensor:
    is_ood_2B = is_ood_B.repeat(2)
    return (is_ood_2B[:, None] == is_ood_2B) & _others(len(is_ood_2B))


def our_contrastive(z_2BD: Tensor, _: Tensor) -> Tensor:
    """L_CL."""
    return nt_xent(z_2BD, TEMPERATURE)[0]


def ours(config: PretrainConfig) -> Loss:
    """Both terms as in the training loop, including the probabilities that tailness needs."""

    def loss(z_2BD: Tensor, is_ood_B: Tensor) -> Tensor:
        log_norm_2B, probability_2B2B = similarity_softmax(z_2BD, config.temperature)
        mean, per_sample_B = nt_xent(z_2BD, config.temperature, log_norm_2B, probability_2B2B)
        contrastive = ContrastiveLoss(mean, per_sample_B, log_norm_2B, probability_2B2B)
        return step_losses(contrastive, z_2BD, is_ood_B, config).total

    return loss


def lightly_contrastive(z_2BD: Tensor, _: Tensor) -> Tensor:
    """L_CL by LightlySSL."""
    loss: Tensor = NTXentLoss(TEMPERATURE)(*z_2BD.chunk(2))
    return loss


LOSSES: dict[str, dict[str, Loss]] = {
    "contrastive": {"plain": plain_contrastive, "lightly": lightly_contrastive, "ours": our_contrastive},
    "domain_term": {"plain": plain_all, "ours": ours(CONFIG)},
    "domain_term_cross_domain": {
        "plain": plain_cross_domain,
        "ours": ours(CONFIG.model_copy(update={"distribution_denominator": "cross_domain"})),
    },
}


def measure(batch_size: int, repeats: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of every loss with its gradient.

    All implementations of a loss must give the same value.
    """
    generator = torch.Generator().manual_seed(0)
    z_2BD = torch.nn.functional.normalize(torch.randn(2 * batch_size, DIM, generator=generator), dim=1)
    is_ood_B = torch.rand(batch_size, generator=generator) < OOD_SHARE
    leaf = z_2BD.requires_grad_()

    def forward_backward(loss: Loss) -> None:
        leaf.grad = None
        loss(leaf, is_ood_B).backward()  # type: ignore[no-untyped-call]

    times: dict[str, dict[str, float]] = {}
    for name, ways in LOSSES.items():
        for way in ways.values():
            torch.testing.assert_close(way(leaf, is_ood_B), ways["plain"](leaf, is_ood_B))
        times[name] = {whose: median_ms(partial(forward_backward, way), repeats) for whose, way in ways.items()}
    return times


def main() -> None:
    """Print a table of milliseconds, and how many times faster ours is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--quick", action="store_true", help="only 512 images")
    arguments = parser.parse_args()
    report = Report("losses")
    rows = []
    for batch_size in [512] if arguments.quick else arguments.batch_sizes:
        for name, times in apart(measure, batch_size, arguments.repeats).items():
            ours_ms = times["ours"]
            shown = [f"{times[whose]:.1f}" if whose in times else "" for whose in ("plain", "lightly", "ours")]
            rows.append([name, str(batch_size), *shown, f"{times['plain'] / ours_ms:.1f}"])
            report.figure(f"loss_{name}_b{batch_size}_ms", ours_ms)
            for whose in times.keys() - {"ours"}:
                report.ratio(f"loss_{name}_b{batch_size}_{whose}_over_ours_time", times[whose] / ours_ms)
    report.table(
        f"Losses, forward and backward, {DIM} dimensions, median of {arguments.repeats}",
        ["what", "B", "plain, ms", "LightlySSL, ms", "ours, ms", "plain over ours"],
        rows,
    )
    report.close()


if __name__ == "__main__":
    main()
