"""The error of this package that is shown to users."""

from __future__ import annotations


class DataError(ValueError):
    """The data cannot be used as they are.

    The message says what is wrong and what to change. It names files by their path inside the
    archive or folder, never by a path on the server. So it can be shown to the person who sent the
    data.
    """


class DamagedImage(DataError):
    """One image file is damaged, or no image. The others may still be used."""
