"""The borders of what is large, and bytes in words."""

from __future__ import annotations

from store.settings import get_settings

ACCEPT = 'or set "accept_cost": true'
_RATIO_FREE_BYTES = 2**28


def said(count: float) -> str:
    """Bytes for people: `3.7 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB" if count < 1000 else f"{count:,.0f} TB"


def large_data(needed: int, source_bytes: int | None) -> str | None:
    """Why so many bytes of images need `accept_cost`; None if they do not.

    Args:
        needed: bytes of the images as they are stored.
        source_bytes: bytes of the file that they come from; None without one.
    """
    borders = get_settings()
    if needed > borders.large_data_bytes:
        return f"more than {said(borders.large_data_bytes)} (COLT_LARGE_DATA_BYTES)"
    if source_bytes and needed > max(_RATIO_FREE_BYTES, borders.large_data_ratio * source_bytes):
        return f"more than {borders.large_data_ratio:g} times the {source_bytes:,} bytes of their file"
    return None
