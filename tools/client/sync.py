"""The client without asyncio, from the one with it.

Each call is written once, in `_async/`. Without `async` and `await`, and with the names of the
other world, the same code blocks.
"""

from __future__ import annotations

import re

_REPLACED = [
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b(__)a(enter|exit|iter|next)(__)", r"\1\2\3"),
    (r"\ba(close|read|iter_bytes|iter_raw|next|iter)\b(?=\()", r"\1"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\b_async\b", "_sync"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
]


def blocking(source: str) -> str:
    """A module of `_async/` as one of `_sync/`."""
    for pattern, replacement in _REPLACED:
        source = re.sub(pattern, replacement, source)
    return f"# Written by `make client` from the module of the same name in _async/. Change that one.\n{source}"
