"""What a registration found in data that it accepted, and the user should know."""

from __future__ import annotations

from dataclasses import dataclass

MAX_EXAMPLES = 10
_LONGEST = 400  # characters of an example; names in archives have up to 65,535 bytes


@dataclass(frozen=True, slots=True)
class DataWarning:
    """One kind of finding.

    Attributes:
        code: a stable word for scripts, such as `duplicates_within_train`.
        detail: one or two sentences for people: what was found, what follows, what to do.
        count: how many images, classes or files it concerns.
        examples: up to MAX_EXAMPLES of them: names of files or classes, or indices of images.
            Long names are cut off.
    """

    code: str
    detail: str
    count: int
    examples: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        shown = (one[:_LONGEST] if isinstance(one, str) else one for one in self.examples[:MAX_EXAMPLES])
        object.__setattr__(self, "examples", tuple(shown))
        object.__setattr__(self, "detail", self.detail[: 5 * _LONGEST])
