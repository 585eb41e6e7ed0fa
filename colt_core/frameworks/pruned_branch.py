"""A network's second branch, which shares its weights but goes without the smallest of them (SDCLR)."""

from __future__ import annotations

from copy import deepcopy
from itertools import chain

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm


class PrunedBranch(nn.Module):
    """What the pruned branch of a network has of its own: a mask of every convolution weight, and all batch norms anew.

    The network itself stays as it is, with its names and its layers: a forward pass of the branch calls it with masked
    weights, and with the parameters and statistics of this branch's batch norms, in the place of its own. They are
    back in place afterwards, whatever the pass raises. (A batch norm must update its statistics in place.)

    A masked weight gets no gradient from this branch. Until `prune` is called the masks leave every weight in.
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
        """What `network` gives for the inputs in this branch."""
        tensors = {f"{name}.weight": weight * self.get_buffer(_mask(name)) for name, weight in self._weights(network)}
        for name in self._norm_names:
            norm = self.norms[_flat(name)]
            for key, tensor in chain(norm.named_parameters(), norm.named_buffers()):
                tensors[f"{name}.{key}"] = tensor
        outputs: Tensor = functional_call(network, tensors, (inputs,))
        return outputs

    @torch.no_grad()
    def prune(self, network: nn.Module, share: float) -> None:
        """Mask the round(share * total) convolution weights of smallest magnitude, of all layers together.

        Of equal magnitudes at the threshold, those that come first in the network are masked.

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
    """Bool mask that is False at exactly `count` places. By threshold: sorting 23 million numbers takes seconds."""
    if count == 0:
        return torch.ones_like(magnitudes, dtype=torch.bool)
    threshold = magnitudes.kthvalue(count).values
    kept = magnitudes >= threshold
    ties = (magnitudes == threshold).nonzero().squeeze(1)
    kept[ties[: count - int((~kept).sum())]] = False
    return kept


def _flat(name: str) -> str:
    """A submodule's path as a name of its own, which may hold no dot."""
    return name.replace(".", "_")


def _mask(name: str) -> str:
    return f"mask_{_flat(name)}"
