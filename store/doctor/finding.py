"""What the examination tells of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        what: one line.
        advice: what to do about it; for a finding with `mend`, what that does.
        mend: does away with it, where nothing of use is lost by that.
    """

    what: str
    advice: str
    mend: Callable[[], None] | None = None
