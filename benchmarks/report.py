"""The output of a benchmark: tables for people, and a last line of JSON with named ratios."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import median_ms
from colt_core.training.device import Compute

_SIDE = 4096


@dataclass
class Report:
    """The results of a benchmark.

    Args:
        name: name of the script, without `.py`.
    """

    name: str
    figures: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)

    def table(self, title: str, head: list[str], rows: list[list[str]]) -> None:
        """Print a Markdown table, as in RESULTS.md."""
        print(f"\n{title}\n")
        for cells in (head, ["---"] * len(head), *rows):
            print("| " + " | ".join(cells) + " |", flush=True)

    def figure(self, name: str, value: float) -> None:
        """Note a measured value.

        Its name ends with the unit (`_ms`, `_seconds`, `_per_second`, `_mib`).
        """
        _note(self.figures, name, value)

    def ratio(self, name: str, value: float) -> None:
        """Note a ratio of two values of this run.

        Its name has the form `A_over_B`. No other script may use it.
        """
        _note(self.ratios, name, value)

    def close(self) -> None:
        """Measure and print the machine's rate, and print the line of JSON."""
        on = machine()
        rates = ", ".join(f"{precision} {on[f'gemm_{precision}_gflops']}" for precision in precisions())
        print(
            f"\n{on['processor']}, {on['threads']} threads, torch {on['torch']}; product of two {_SIDE} x {_SIDE} "
            f"matrices: {rates} GFLOP/s"
        )
        content: dict[str, Any] = {
            "benchmark": self.name,
            "machine": on,
            "figures": _rounded(self.figures),
            "ratios": _rounded(self.ratios),
        }
        print("\n" + json.dumps(content, allow_nan=False), flush=True)


def machine() -> dict[str, Any]:
    """The machine, and its current rate of matrix products."""
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        **{f"gemm_{name}_gflops": round(gemm_gflops(dtype)) for name, dtype in precisions().items()},
    }


def precisions() -> dict[str, torch.dtype]:
    """The types that this CPU multiplies in.

    If it only emulates bf16, torch's product is a plain loop that takes minutes.
    """
    fp32 = {"fp32": torch.float32}
    return {**fp32, "bf16": torch.bfloat16} if Compute.choose("cpu").bf16 else fp32


def gemm_gflops(dtype: torch.dtype, repeats: int = 3) -> float:
    """Median 10^9 operations per second in the product of two 4096 x 4096 matrices."""
    left, right = (torch.randn(_SIDE, _SIDE).to(dtype) for _ in range(2))
    return 2 * _SIDE**3 / 1e6 / median_ms(lambda: left @ right, repeats)


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    for line in described.read_text().splitlines() if described.exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _note(values: dict[str, float], name: str, value: float) -> None:
    if name in values:
        raise ValueError(f"{name} was noted already")
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}")
    values[name] = value


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in values.items()}
