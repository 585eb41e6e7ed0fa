"""The error that ends a command with a message instead of a traceback."""

from __future__ import annotations


class Refused(Exception):
    """The command cannot do its work. The message says why and what to change."""
