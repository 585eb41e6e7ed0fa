"""Where a run computes and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from colt_core.config import PretrainConfig
from colt_core.events import RunStarted
from colt_core.transfer import to_device


@dataclass(frozen=True, slots=True)
class Compute:
    """The device, and whether convolutions run in bfloat16 (losses and normalisation stay in float32)."""

    device: torch.device
    bf16: bool
    reason: str  # why in this precision, for people

    @classmethod
    def choose(cls, device: str = "auto", precision: str = "auto") -> Compute:
        """Resolve "auto". bf16 where the hardware multiplies in it: twice the rate of fp32 there, and slower elsewhere.

        Raises:
            ValueError: for "cuda" without a CUDA device.
        """
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device 'cuda' is asked for, but no CUDA device is available: choose 'auto' or 'cpu'")
        name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        if precision != "auto":
            return cls(torch.device(name), precision == "bf16", "as configured")
        hardware = _hardware_with_bf16(name)
        if hardware is None:
            return cls(torch.device(name), False, f"this {_NAMES[name]} does not multiply in bf16")
        return cls(torch.device(name), True, f"this {_NAMES[name]} multiplies in bf16 ({hardware})")

    @classmethod
    def of(cls, config: PretrainConfig) -> Compute:
        """What a configuration asks for."""
        return cls.choose(config.device, config.precision)

    @property
    def reads_behind(self) -> int:
        """By how many steps results are read late: on a GPU by one, so that the host need not wait for a step."""
        return 1 if self.device.type == "cuda" else 0

    def started(self, epoch: int, step: int) -> RunStarted:
        """The event that says so."""
        precision = "bf16" if self.bf16 else "fp32"
        return RunStarted(epoch, step, self.device.type, precision, self.reason, torch.get_num_threads())

    def autocast(self) -> AbstractContextManager[object]:
        """The context for a forward pass."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)

    def deterministic(self) -> AbstractContextManager[object]:
        """The context in which convolutions give the same bits each time; on a CPU they always do."""
        if self.device.type != "cuda":
            return nullcontext()
        return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)

    def module(self, module: torch.nn.Module) -> None:
        """Move a module here, in place. Channels-last: 1.1-1.2x on fp32 convolutions, and what bf16 ones want."""
        module.to(self.device).to(memory_format=torch.channels_last)

    def images(self, images: Tensor) -> Tensor:
        """Move images here."""
        return to_device(images, self.device)


_NAMES = {"cpu": "CPU", "cuda": "GPU"}


def _hardware_with_bf16(device: str) -> str | None:
    """What of the device multiplies in bf16; None where that would only be emulated."""
    if device == "cuda":
        return torch.cuda.get_device_name() if torch.cuda.is_bf16_supported(including_emulation=False) else None
    if torch.cpu._is_amx_tile_supported():
        return "AMX"
    return "AVX-512 BF16" if torch.cpu._is_avx512_bf16_supported() else None
