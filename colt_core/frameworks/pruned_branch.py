"""SDCLR's second branch of a network, which lacks its smallest weights."""

from __future__ import annotations

from copy import deepcopy
from itertools import chain

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm


class PrunedBranch(nn.Module):
    """The pruned branch's own part: masks of convolution weights, and its own batch norms.

    The network itself is not changed. A forward pass of the branch calls it with masked weights,
    and with parameters and statistics of the branch's batch norms. Afterwards the network has its
    own again, even if the pass raises. Batch norms must update their statistics in place.

    A masked weight gets no gradient from this branch. Before the first `prune`, no weight is
    masked.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.norms = nn.ModuleDict()
        self._conv_names = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
        self._norm_names = [name for name, module in network.named_modules() if isinstance(module, _BatchNorm)]
        for name in self._norm_names:
            self.norms[_flat(name)] = deepcopy(network.get_submodule(name))
        for name, weight in self._weights(network):
            self.register_buffer(_mask(name), torch.ones_like(weight, dtype=torch.bool))

    def forward(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """The outputs of `network` in this branch."""
        tensors = {f"{name}.weight": weight * self.get_buffer(_mask(name)) for name, weight in self._weights(network)}
        for name in self._norm_names:
            norm = self.norms[_flat(name)]
            for key, tensor in chain(norm.named_parameters(), norm.named_buffers()):
                tensors[f"{name}.{key}"] = tensor
        outputs: Tensor = functional_call(network, tensors, (inputs,))
        return outputs

    @torch.no_grad()
    def prune(self, network: nn.Module, share: float) -> None:
        """Mask the round(share * total) smallest convolution weights, over all layers together.

        Magnitudes are compared. Among equal ones, those that come first in the network are masked.

        Raises:
            ValueError: if `share` is outside 0..1.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"the share of pruned weights must be in 0..1, not {share}")
        weights = self._weights(network)
        magnitudes = torch.cat([weight.abs().flatten() for _, weight in weights])
        kept = _all_but_smallest(magnitudes, round(share * len(magnitudes)))
        begin = 0
        for name, weight in weights:
            self.get_buffer(_mask(name)).copy_(kept[begin : begin + weight.numel()].view(weight.shape))
            begin += weight.numel()

    def _weights(self, network: nn.Module) -> list[tuple[str, Tensor]]:
        return [(name, network.get_parameter(f"{name}.weight")) for name in self._conv_names]


def _all_but_smallest(magnitudes: Tensor, count: int) -> Tensor:
    """A bool mask that is False at exactly `count` places.

    It uses a threshold, since sorting 23 million numbers takes seconds.
    """
    if count == 0:
        return torch.ones_like(magnitudes, dtype=torch.bool)
    threshold = magnitudes.kthvalue(count).values
    kept = magnitudes >= threshold
    ties = (magnitudes == threshold).nonzero().squeeze(1)
    kept[ties[: count - int((~kept).sum())]] = False
    return kept


def _flat(name: str) -> str:
    """A submodule's path as a name without dots."""
    return name.replace(".", "_")


def _mask(name: str) -> str:
    return f"mask_{_flat(name)}"
