"""Whether this Python has the security patches that were published for it."""

from __future__ import annotations

import datetime as dt

# Latest release of each series, as of this day (python.org/downloads). Without the internet there
# is no better answer, so the warning says how old this one is. Update both together.
AS_OF = dt.date(2026, 8, 13)
LATEST = {(3, 11): 16, (3, 12): 14, (3, 13): 15, (3, 14): 7}


def outdated(major: int, minor: int, micro: int) -> str | None:
    """What is wrong with a Python of this version; None if nothing is known."""
    latest = LATEST.get((major, minor))
    if latest is None or micro >= latest:
        return None
    return (
        f"This is Python {major}.{minor}.{micro}. {major}.{minor}.{latest} has {latest - micro} more releases of "
        f"fixes, security fixes among them (as of {AS_OF:%Y-%m-%d}; there may be more by now). "
        "Install it before strangers can reach this service."
    )
