"""Random streams as a function of (seed, purpose, position).

A resumed run therefore needs no generator's state.
"""

from __future__ import annotations

import hashlib

import torch


def stream_seed(seed: int, purpose: str, *position: int) -> int:
    """A 32-bit seed for one random stream, unrelated for any two (seed, purpose, position).

    It has 32 bits because torch's CPU generator and scikit-learn use no more.
    """
    text = "/".join([str(seed), purpose, *map(str, position)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little")


def generator(seed: int, purpose: str, *position: int) -> torch.Generator:
    """A new CPU generator for one random stream, such as `generator(seed, "augment", step)`.

    It is on the CPU even if the model is on a GPU, so that draws do not depend on the device.
    """
    return torch.Generator().manual_seed(stream_seed(seed, purpose, *position))
