"""The cost of tailness, compared with a training step and with a plain loop.

    python -m benchmarks.tailness

Tailness is computed as in the training loop: from the probabilities of the losses, with the update
of the moving average. The step is the bare one of the preset `cpu-small`, where tailness has the
largest share. Wider nets have longer steps, but tailness takes as long.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from benchmarks.bare_step import BareStep
from benchmarks.processes import apart
from benchmarks.report import Report
from benchmarks.timing import median_ms
from colt_core.config import PretrainConfig
from colt_core.tailness import TailnessTracker, negative_tailness

NUM_TRAIN = 12_400


def plain_tailness(z_2BD: Tensor, config: PretrainConfig, history: dict[int, float]) -> None:
    """Tailness in a loop over the samples, from its own probabilities."""
    batch_size = len(z_2BD) // 2
    exponentials = torch.exp(z_2BD @ z_2BD.T / config.temperature)
    exponentials.fill_diagonal_(0)
    p_ij = exponentials / exponentials.sum(dim=1, keepdim=True)
    momentum = config.tailness_momentum
    for sample in range(batch_size):
        p_2B = (p_ij[sample] + p_ij[sample + batch_size]) / 2
        p_2B[[sample, sample + batch_size]] = 0
        score = -float(p_2B.sort(descending=True).values[: int(config.top_k)].sum())
        history[sample] = momentum * history[sample] + (1 - momentum) * score if sample in history else score


def measure(batch_size: int, repeats: int) -> tuple[float, float, float]:
    """Median milliseconds of a step, of tailness in it, and of the plain loop."""
    config = PretrainConfig.resolve({"preset": "cpu-small", "batch_size": batch_size, "learning_rate": 0.01})
    step = BareStep(config)
    step_ms = median_ms(step, repeats)
    z_2BD, contrastive = step()
    tracker = TailnessTracker(NUM_TRAIN, config.tailness_momentum)
    index_B = torch.randperm(NUM_TRAIN, generator=torch.Generator().manual_seed(0))[:batch_size]
    is_id_B = ~step.batch.is_ood

    def our_tailness() -> None:
        raw_B = negative_tailness(z_2BD, config.temperature, config.top_k, probability_2B2B=contrastive.probability)
        tracker.update(index_B[is_id_B], raw_B[is_id_B])

    history: dict[int, float] = {}
    our_ms = median_ms(our_tailness, 5 * repeats)
    plain_ms = median_ms(lambda: plain_tailness(z_2BD, config, history), repeats)
    raw_B = negative_tailness(z_2BD, config.temperature, config.top_k)
    torch.testing.assert_close(raw_B, torch.tensor([history[sample] for sample in range(batch_size)]))
    return step_ms, our_ms, plain_ms


def main() -> None:
    """Print a table of milliseconds, the share of a step, and the speed-up over the loop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="only 512 images")
    arguments = parser.parse_args()
    report = Report("tailness")
    rows = []
    for batch_size in [512] if arguments.quick else arguments.batch_sizes:
        step_ms, our_ms, plain_ms = apart(measure, batch_size, arguments.repeats)
        share = our_ms / step_ms
        rows.append(
            [
                str(batch_size),
                f"{plain_ms:.1f}",
                f"{our_ms:.2f}",
                f"{plain_ms / our_ms:.1f}",
                f"{step_ms:.0f}",
                f"{100 * share:.2f} %",
            ]
        )
        report.figure(f"tailness_b{batch_size}_ms", our_ms)
        report.ratio(f"tailness_b{batch_size}_over_cpu_small_step_time", share)
        report.ratio(f"tailness_b{batch_size}_plain_over_ours_time", plain_ms / our_ms)
    report.table(
        f"Tailness of a batch, with its moving average over {NUM_TRAIN:,} images",
        ["B", "plain loop, ms", "ours, ms", "plain over ours", "cpu-small step, ms", "share of the step"],
        rows,
    )
    report.close()


if __name__ == "__main__":
    main()
