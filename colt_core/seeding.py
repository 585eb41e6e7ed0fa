"""Randomness as a function of (seed, purpose, position), so that a resumed run needs no generator's state."""

from __future__ import annotations

import hashlib

import torch


def stream_seed(seed: int, purpose: str, *position: int) -> int:
    """A 32-bit seed for one use of randomness; unrelated for any two (seed, purpose, position).

    32 bits, because torch's CPU generator and scikit-learn look at no more of a seed.
    """
    text = "/".join([str(seed), purpose, *map(str, position)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little")


def generator(seed: int, purpose: str, *position: int) -> torch.Generator:
    """A fresh CPU generator for one use of randomness, for instance `generator(seed, "augment", epoch, step)`.

    On the CPU also when the model is on a GPU: what is drawn then does not depend on the device.
    """
    return torch.Generator().manual_seed(stream_seed(seed, purpose, *position))
