"""What a benchmark says: tables for people, and last one line of JSON with every ratio named."""

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
        _note(self.figures, name, value)

    def ratio(self, name: str, value: float) -> None:
        """Note a ratio of two values of this run; its name says what over what, and is of this script alone."""
        _note(self.ratios, name, value)

    def close(self) -> None:
        """Measure the machine's own rate, say it, and print the line of JSON."""
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
    """What it was measured on, with the machine's own rate of matrix products as it is at this minute."""
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        **{f"gemm_{name}_gflops": round(gemm_gflops(dtype)) for name, dtype in precisions().items()},
    }


def precisions() -> dict[str, torch.dtype]:
    """What this CPU multiplies in. Where it only emulates bf16, torch's product is a plain loop: minutes for one."""
    fp32 = {"fp32": torch.float32}
    return {**fp32, "bf16": torch.bfloat16} if Compute.choose("cpu").bf16 else fp32


def gemm_gflops(dtype: torch.dtype, repeats: int = 3) -> float:
    """10^9 floating-point operations a second in the product of two square matrices of side 4096; median."""
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
        raise ValueError(f"{name} is there already")
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}")
    values[name] = value


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in values.items()}
