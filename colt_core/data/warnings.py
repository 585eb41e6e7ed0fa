"""What a registration found in data that it accepted, and the user should know."""

from __future__ import annotations

from dataclasses import dataclass

MAX_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class DataWarning:
    """One kind of finding.

    Attributes:
        code: a stable word for scripts, such as `duplicates_within_train`.
        detail: one or two sentences for people: what was found, what follows, what to do.
        count: how many images, classes or files it concerns.
        examples: up to MAX_EXAMPLES of them: names of files or classes, or indices of images.
    """

    code: str
    detail: str
    count: int
    examples: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "examples", tuple(self.examples)[:MAX_EXAMPLES])
