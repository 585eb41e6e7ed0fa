"""The three rules, and what they are applied to."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

MAX_WORDS = 25
MAX_COLUMNS = 100

# A full stop ends a sentence before a capital letter, a digit, a quote, a bracket or code.
_END = re.compile(r"""(?<=[.!?])["')\]*_]*\s+(?=["'(\[*_]*[A-Z0-9`])""")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|cf|vs|Fig|No|al|approx)|\b[A-Z])\.$")
_CODE = re.compile(r"(`+)[^`]+\1")
_URL = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class Finding:
    line: int
    rule: str
    message: str


@dataclass(frozen=True)
class Passage:
    """A paragraph, a list item, a cell or a message, and the line that it begins on."""

    line: int
    text: str


@dataclass(frozen=True)
class Prose:
    """What a file has to say, and which of its lines must be wrapped."""

    passages: list[Passage]
    lines: list[int]


def check(source: str, prose: Prose, words: dict[str, str]) -> list[Finding]:
    """What a file has against the rules, from its first line to its last."""
    findings = [finding for passage in prose.passages for finding in _check_passage(passage, words)]
    text = source.splitlines()
    for line in prose.lines:
        if (columns := len(_URL.sub("", text[line - 1]))) > MAX_COLUMNS:
            findings.append(Finding(line, "columns", f"{columns} columns; wrap prose at {MAX_COLUMNS}"))
    return sorted(findings, key=lambda finding: finding.line)


def _check_passage(passage: Passage, words: dict[str, str]) -> Iterator[Finding]:
    text = _CODE.sub("`x`", passage.text)
    for start, sentence in sentences(text):
        if (count := count_words(sentence)) > MAX_WORDS:
            shown = textwrap.shorten(sentence, 60, placeholder=" ...")
            line = passage.line + text.count("\n", 0, start)
            yield Finding(line, "sentence", f"a sentence of {count} words: {shown}")
    for phrase, better in words.items():
        for match in _phrase(phrase).finditer(text):
            line = passage.line + text.count("\n", 0, match.start())
            yield Finding(line, "word", f"'{phrase}': {better}")


@cache
def _phrase(phrase: str) -> re.Pattern[str]:
    """Finds a phrase in any case, also over a line break."""
    blanks = r"\s+".join(re.escape(word) for word in phrase.split())
    return re.compile(rf"(?<!\w){blanks}(?!\w)", re.IGNORECASE)


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Each sentence with the offset of its first character."""
    start = 0
    for end in _END.finditer(text):
        if not _ABBREVIATION.search(text[start : end.start()]):
            yield start, text[start : end.start()]
            start = end.end()
    if text[start:].strip():
        yield start, text[start:]


def count_words(sentence: str) -> int:
    """Words between blanks that have a letter or a digit. Code and a URL are a word each."""
    return sum(any(character.isalnum() for character in word) for word in sentence.split())
