"""The error of a run whose device is not there."""

from __future__ import annotations


class DeviceMissing(ValueError):
    """The configuration names a device that this machine does not have."""
