"""What the checks of `colt doctor` report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem.

    Attributes:
        what: the problem, in one line.
        advice: what to do about it; for a finding with `mend`, what `mend` does.
        mend: fixes the problem; None where that could lose something of use.
    """

    what: str
    advice: str
    mend: Callable[[], None] | None = None
