"""The optimisers are PyTorch's, but for what they import."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from colt_core.training.optimizer import without_dynamo
from tests.support.forking import FORKING
from tests.support.tiny_runs import config, run


def trained(optimizer: type[Optimizer], **settings: Any) -> list[torch.Tensor]:
    """Weights after three steps, a save and a load, and three more."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    generator = torch.Generator().manual_seed(1)
    own = optimizer(net.parameters(), **settings)
    for _ in range(2):
        for _ in range(3):
            own.zero_grad()
            net(torch.randn(4, 6, generator=generator)).square().sum().backward()
            own.step()
        state = own.state_dict()
        own = optimizer(net.parameters(), **settings)
        own.load_state_dict(state)
    return list(net.parameters())


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [(SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}), (AdamW, {"lr": 0.01, "weight_decay": 0.01})],
)
def test_steps_are_equal_bit_for_bit(optimizer: type[Optimizer], settings: dict[str, Any]) -> None:
    found, expected = trained(without_dynamo(optimizer), **settings), trained(optimizer, **settings)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def _train() -> None:
    run(config(epochs=3))
    assert "torch._dynamo" not in sys.modules


def test_training_does_not_import_the_compiler() -> None:
    process = FORKING.Process(target=_train)
    process.start()
    process.join(120)
    assert process.exitcode == 0
