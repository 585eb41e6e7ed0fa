"""Libraries that only some layouts need: the extra `formats`."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from colt_core.data.errors import DataError


def need(module: str, what: str) -> ModuleType:
    """Import a module of the extra `formats`.

    Raises:
        DataError: if it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise DataError(
            f"reading {what} needs {package}, which is not installed; run: pip install 'colt-studio[formats]'"
        ) from error
