"""What a benchmark says: tables for people, and last one line of JSON with every ratio named."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch

from benchmarks.timing import median_ms

_SIDE = 4096


@dataclass
class Report:
    """One benchmark's answers.

    Args:
        name: the script's, without `.py`.
    """

    name: str
    figures: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)

    def table(self, title: str, head: list[str], rows: list[list[str]]) -> None:
        """Print a Markdown table, as RESULTS.md holds it."""
        print(f"\n{title}\n")
        for cells in (head, ["---"] * len(head), *rows):
            print("| " + " | ".join(cells) + " |", flush=True)

    def figure(self, name: str, value: float) -> None:
        """Note a measured value; its name ends in its unit (`_ms`, `_seconds`, `_per_second`, `_mib`)."""
        self.figures[name] = value

    def ratio(self, name: str, value: float) -> None:
        """Note a ratio of two values of this run."""
        self.ratios[name] = value

    def close(self) -> None:
        """Print the line of JSON."""
        content: dict[str, Any] = {
            "benchmark": self.name,
            "machine": machine(),
            "figures": _rounded(self.figures),
            "ratios": _rounded(self.ratios),
        }
        print("\n" + json.dumps(content), flush=True)


@cache
def machine() -> dict[str, Any]:
    """What it was measured on, with the machine's own rate of matrix products, in GFLOP/s."""
    return {
        "cores": torch.get_num_threads(),
        "processor": platform.machine(),
        "torch": torch.__version__,
        "gemm_fp32_gflops": round(gemm_gflops(torch.float32)),
        "gemm_bf16_gflops": round(gemm_gflops(torch.bfloat16)),
    }


@cache
def gemm_gflops(dtype: torch.dtype, repeats: int = 5) -> float:
    """10^9 floating-point operations a second in the product of two square matrices of side 4096; median."""
    left, right = (torch.randn(_SIDE, _SIDE).to(dtype) for _ in range(2))
    return 2 * _SIDE**3 / 1e6 / median_ms(lambda: left @ right, repeats)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in values.items()}
