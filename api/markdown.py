"""Text of users in Markdown, and tables."""

from __future__ import annotations

from collections.abc import Sequence


def one_line(text: str) -> str:
    """The words of a text on one line."""
    return " ".join(text.split())


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return "".join(f"\\{sign}" if sign in "|\\`*_<[" else sign for sign in one_line(text))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table. The cells are Markdown already."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
