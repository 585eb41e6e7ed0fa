"""Characters that would make a name look like another, or break the line that shows it.

All are given as parts of a regular expression's character class.
"""

from __future__ import annotations

import re

# Control characters, line breaks, and characters that embed, override or isolate a direction.
DISGUISING = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
# The marks of direction too: what people type needs none, what they download may have some.
UNPRINTED = rf"{DISGUISING}\u061c\u200e\u200f"

_NOT_SHOWN = re.compile(rf"[{UNPRINTED}\ud800-\udfff]")


def printed(text: str, longest: int) -> str:
    """Untrusted text for a message or a database: cut off, and `?` for each such character."""
    return _NOT_SHOWN.sub("?", text[:longest])
