"""What a worker's machine computes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices that a worker gives to the work it takes."""

    cpu_cores: int
    cuda: tuple[str, ...] = ()  # the name of each CUDA device
    memory_bytes: int | None = None  # that processes may use; None: not reported, or not known
    cuda_bytes: tuple[int, ...] = ()  # memory of each CUDA device; empty: not reported
    bf16: bool = False  # whether `precision: auto` is bf16 here

    @classmethod
    def of(cls, column: Mapping[str, Any]) -> Self:
        """What `column` wrote."""
        return cls(
            column["cpu_cores"],
            tuple(column["cuda"]),
            column.get("memory_bytes"),
            tuple(column.get("cuda_bytes", ())),
            column.get("bf16", False),
        )

    def column(self) -> dict[str, Any]:
        """The value of a row's column."""
        return asdict(self) | {"cuda": list(self.cuda), "cuda_bytes": list(self.cuda_bytes)}

    def can_run(self, device: str, num_processes: int) -> bool:
        """Whether a run with these settings can compute here.

        Where there are CUDA devices, each process of a run needs one of its own, unless the run's
        device is the CPU (colt_core/distributed/group.py).
        """
        if device == "cpu" or (device == "auto" and not self.cuda):
            return True
        return num_processes <= len(self.cuda)
