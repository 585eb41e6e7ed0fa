"""COLT: self-supervised learning on long-tailed data with the help of OOD images.

The method is that of Bai et al., ICLR 2023.

Everything a user needs is here: `from colt_core import PretrainConfig, pretrain`. `__init__.pyi`
lists the names and their modules, for type checkers and for this module. A name is imported at its
first use, so `colt_core.config` and `colt_core.events` load without torch.
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from typing import Any


def _exports() -> dict[str, str]:
    """The module of each name, from the imports in `__init__.pyi`."""
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text("utf-8"))
    imports = (node for node in stub.body if isinstance(node, ast.ImportFrom))
    return {alias.name: str(node.module) for node in imports for alias in node.names}


_MODULE_OF = _exports()

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
