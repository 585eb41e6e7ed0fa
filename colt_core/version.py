"""Which version of this program is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """The version of the package; "0" if it runs from a bare checkout."""
    try:
        return version("colt-studio")
    except PackageNotFoundError:
        return "0"
