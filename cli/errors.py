"""What ends a command with a message instead of a traceback."""

from __future__ import annotations


class Refused(Exception):
    """The command cannot do its work; the message says why and what to change."""
