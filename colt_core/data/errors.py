"""The one error of this package that is meant for the user's eyes."""

from __future__ import annotations


class DataError(ValueError):
    """The data cannot be used as they are.

    The message says what is wrong and what to change. It names files by their path inside the archive or folder, never
    by a path on the server, so that it can be shown to whoever sent the data.
    """
