"""The error of this package that is shown to users."""

from __future__ import annotations


class WeightsRefused(ValueError):
    """A file of weights cannot be used. The message says what to change, and names no path."""
