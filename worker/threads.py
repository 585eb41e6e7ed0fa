"""How many threads torch computes with."""

from __future__ import annotations

from store.settings import get_settings


def set_torch_threads() -> None:
    """As the settings say; 0 leaves torch its own choice."""
    import torch

    if threads := get_settings().torch_threads:
        torch.set_num_threads(threads)
