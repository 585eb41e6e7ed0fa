"""The rate of a bare training step, compared with the machine's rate of matrix products.

    python -m benchmarks.step

Forward, losses, backward and optimiser are measured on given views, as channels-last tensors.
Operations are those of convolutions and matrix products, by `torch.utils.flop_counter`. The rest of
a step (batch norm, activations, losses, the optimiser) adds time but no operations. Each row is a
process of its own. Rows with "keeps blocks" have the two MALLOC_* variables of a worker's trainers.
Rows with bf16 exist if the CPU has it.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from benchmarks.bare_step import BareStep
from benchmarks.processes import KEEPING_BLOCKS, apart
from benchmarks.report import Report, gemm_gflops, precisions
from benchmarks.timing import median_ms
from colt_core.config import PretrainConfig

NETS: dict[str, dict[str, Any]] = {
    "resnet18": {"backbone": "resnet18", "width": 64, "stem": "cifar"},
    "cpu_small": {"backbone": "resnet10", "width": 16, "stem": "cifar-stride2"},
    "resnet10_width16_stride1": {"backbone": "resnet10", "width": 16, "stem": "cifar"},
    "resnet10_width32": {"backbone": "resnet10", "width": 32, "stem": "cifar-stride2"},
    "resnet18_width16": {"backbone": "resnet18", "width": 16, "stem": "cifar-stride2"},
}

ALLOCATORS: dict[str, dict[str, str]] = {"keeps blocks": KEEPING_BLOCKS, "as it is": {}}


@dataclass(frozen=True, slots=True)
class Measured:
    """One net's step. Rates are in 10^9 operations per second."""

    step_ms: float
    optimizer_ms: float
    fused_optimizer_ms: float
    gflop: float
    gemm_gflops: float

    @property
    def gflops(self) -> float:
        """The step's rate."""
        return 1000 * self.gflop / self.step_ms

    @property
    def share(self) -> float:
        """The step's rate as a share of the machine's."""
        return self.gflops / self.gemm_gflops


def measure(settings: dict[str, Any], repeats: int) -> Measured:
    """Measure a configuration's step, with the machine's rate before and after it."""
    config = PretrainConfig.resolve({"learning_rate": 0.01, **settings})
    rate = partial(gemm_gflops, precisions()[config.precision], repeats=1)
    step = BareStep(config)
    gflop, before = step.gflop(), rate()
    step_ms, optimizer_ms = median_ms(step, repeats), median_ms(step.optimizer.step, 3 * repeats)
    after = rate()
    fused = BareStep(config.model_copy(update={"batch_size": 2}), fused=True)
    fused()
    return Measured(
        step_ms, optimizer_ms, median_ms(fused.optimizer.step, 3 * repeats), gflop, statistics.mean((before, after))
    )


def main() -> None:
    """Print a table with a row for each net, precision and allocator."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS))
    parser.add_argument(
        "--batch-size", type=int, default=512, help="images of a batch for narrow nets, with two views each"
    )
    parser.add_argument("--wide-batch-size", type=int, default=256, help="the same for ResNet-18 (default: 256)")
    parser.add_argument("--repeats", type=int, default=7, help="repeats for narrow nets; ResNet-18 has 2 (default: 7)")
    parser.add_argument("--quick", action="store_true", help="two nets; ResNet-18 with 32 images a batch")
    arguments = parser.parse_args()
    report = Report("step")
    rows = []
    for net in ("resnet18", "cpu_small") if arguments.quick else arguments.nets:
        batch_size, repeats = arguments.batch_size, arguments.repeats
        if net == "resnet18":
            batch_size, repeats = (32, 3) if arguments.quick else (arguments.wide_batch_size, 2)
        found: dict[str, Measured] = {}
        for precision, allocator in product(precisions(), ALLOCATORS):
            if arguments.quick and net == "resnet18" and allocator == "as it is":
                continue
            settings = {**NETS[net], "batch_size": batch_size, "precision": precision}
            step = apart(measure, settings, repeats, environment=ALLOCATORS[allocator])
            rows.append(
                [
                    net,
                    str(batch_size),
                    precision,
                    allocator,
                    f"{step.step_ms:,.1f}",
                    f"{2000 * batch_size / step.step_ms:,.0f}",
                    f"{step.gflops:.0f}",
                    f"{step.gemm_gflops:.0f}",
                    f"{100 * step.share:.0f} %",
                    f"{step.optimizer_ms:.2f} / {step.fused_optimizer_ms:.2f}",
                ]
            )
            if allocator == "as it is":
                name = f"step_{net}_{precision}_malloc_as_it_is_over_keeping_blocks_time"
                report.ratio(name, step.step_ms / found[precision].step_ms)
                continue
            found[precision] = step
            report.figure(f"step_{net}_{precision}_ms", step.step_ms)
            report.ratio(f"step_{net}_{precision}_over_gemm_rate", step.share)
        if "bf16" in found:
            report.ratio(f"step_{net}_fp32_over_bf16_time", found["fp32"].step_ms / found["bf16"].step_ms)
    report.table(
        "A bare step at 32 px",
        ["net", "batch", "precision", "malloc", "ms", "views/s", "GFLOP/s", "GEMM", "share", "SGD ms, plain / fused"],
        rows,
    )
    report.close()


if __name__ == "__main__":
    main()
