"""The device and the precision that a run computes in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from colt_core.config import PretrainConfig
from colt_core.events import RunStarted
from colt_core.training.missing import DeviceMissing
from colt_core.transfer import to_device


@dataclass(frozen=True, slots=True)
class Compute:
    """The device, and whether convolutions run in bfloat16.

    Losses and normalisation stay in float32.
    """

    device: torch.device
    bf16: bool
    reason: str  # why this precision, for people

    @classmethod
    def choose(cls, device: str = "auto", precision: str = "auto") -> Compute:
        """Resolve "auto".

        The precision is bf16 if the hardware multiplies in bf16: it is then twice as fast as fp32.
        On other hardware bf16 is slower.

        Raises:
            DeviceMissing: for "cuda" without a CUDA device.
        """
        if device == "cuda" and not torch.cuda.is_available():
            raise DeviceMissing("device is 'cuda', but torch finds no CUDA device here: choose 'auto' or 'cpu'")
        name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        if precision != "auto":
            return cls(torch.device(name), precision == "bf16", "as configured")
        hardware = _hardware_with_bf16(name)
        if hardware is None:
            return cls(torch.device(name), False, f"this {_NAMES[name]} does not multiply in bf16")
        return cls(torch.device(name), True, f"this {_NAMES[name]} multiplies in bf16 ({hardware})")

    @classmethod
    def of(cls, config: PretrainConfig) -> Compute:
        """The device and precision of a configuration."""
        return cls.choose(config.device, config.precision)

    @property
    def reads_behind(self) -> int:
        """The number of steps by which results are read late.

        It is one on a GPU, so that the host need not wait for a step.
        """
        return 1 if self.device.type == "cuda" else 0

    def started(self, epoch: int, step: int) -> RunStarted:
        """The event that reports device and precision."""
        precision = "bf16" if self.bf16 else "fp32"
        return RunStarted(epoch, step, self.device.type, precision, self.reason, torch.get_num_threads())

    def autocast(self) -> AbstractContextManager[object]:
        """The context of a forward pass."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)

    def deterministic(self) -> AbstractContextManager[object]:
        """The context in which convolutions are deterministic. On a CPU they always are."""
        if self.device.type != "cuda":
            return nullcontext()
        return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)

    def module(self, module: torch.nn.Module) -> None:
        """Move a module to the device, in place, as channels-last.

        fp32 convolutions are then 1.1-1.2x as fast, and bf16 ones need it.
        """
        module.to(self.device).to(memory_format=torch.channels_last)

    def images(self, images: Tensor) -> Tensor:
        """Move images to the device."""
        return to_device(images, self.device)


_NAMES = {"cpu": "CPU", "cuda": "GPU"}


def _hardware_with_bf16(device: str) -> str | None:
    """The hardware that multiplies in bf16; None if bf16 would only be emulated."""
    if device == "cuda":
        return torch.cuda.get_device_name() if torch.cuda.is_bf16_supported(including_emulation=False) else None
    if torch.cpu._is_amx_tile_supported():
        return "AMX"
    return "AVX-512 BF16" if torch.cpu._is_avx512_bf16_supported() else None
