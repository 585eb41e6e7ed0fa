"""The prose of the dashboard: texts of Svelte components, and strings of TypeScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from tools.prose.rules import Passage, Prose

_INLINE = {"a", "b", "code", "em", "i", "kbd", "small", "span", "strong", "sub", "sup"}
_SCRIPT = re.compile(r"<(script|style)\b[^>]*>(.*?)</\1>", re.DOTALL)
# Comments are matched too, so that an apostrophe within one begins no string.
_STRING = re.compile(
    r"""//[^\n]*|/\*.*?\*/|'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`""", re.DOTALL
)


def read(source: str) -> Prose:
    """Texts, attributes and strings of a component. The formatter wraps their lines."""
    passages: list[Passage] = []
    for script in _SCRIPT.finditer(source):
        if script[1] == "script":
            passages += _strings(script[2], source.count("\n", 0, script.start(2)) + 1)
    template = _SCRIPT.sub(lambda found: "\n" * found[0].count("\n"), source)
    texts = _Texts()
    for start, end in _braces(template):
        passages += _strings(template[start:end], template.count("\n", 0, start) + 1)
    texts.feed(_without_braces(template))
    texts.close()
    texts.end_passage()
    return Prose([*passages, *texts.passages], [])


def read_script(source: str) -> Prose:
    """Strings of a module."""
    return Prose(list(_strings(source, 1)), [])


def _strings(script: str, first: int) -> Iterator[Passage]:
    for found in _STRING.finditer(script):
        text = next((group for group in found.groups() if group), "")
        if " " in text.strip():
            yield Passage(first + script.count("\n", 0, found.start()), re.sub(r"\$\{[^}]*\}", "x", text))


def _braces(template: str) -> list[tuple[int, int]]:
    """Where expressions begin and end, those of blocks such as {#if} included."""
    found, depth, start = [], 0, 0
    for position, character in enumerate(template):
        if character == "{":
            start = start if depth else position
            depth += 1
        elif character == "}" and depth:
            depth -= 1
            if depth == 0:
                found.append((start, position + 1))
    return found


def _without_braces(template: str) -> str:
    """Each expression is one word; a block's brace is none. Line breaks stay."""
    text, last = [], 0
    for start, end in _braces(template):
        is_block = template[start + 1] in "#/:@"
        text += [template[last:start], " " if is_block else "x", "\n" * template.count("\n", start, end)]
        last = end
    return "".join([*text, template[last:]])


class _Texts(HTMLParser):
    """Gathers the text of blocks, across inline elements, and attributes of several words."""

    def __init__(self) -> None:
        super().__init__()
        self.passages: list[Passage] = []
        self._line, self._text = 1, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _INLINE:
            self.end_passage()
        first, written = self.getpos()[0], self.get_starttag_text() or ""
        for name, value in attrs:
            if value and " " in value and name not in {"class", "d", "style"}:
                line = first + written[: max(0, written.find(value))].count("\n")
                self.passages.append(Passage(line, value))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _INLINE:
            self.end_passage()

    def handle_data(self, data: str) -> None:
        if not self._text.strip():
            self._line, self._text = self.getpos()[0] + len(data) - len(data.lstrip("\n")), data.lstrip("\n")
        else:
            self._text += data

    def end_passage(self) -> None:
        """What comes next is another passage."""
        if self._text.strip():
            self.passages.append(Passage(self._line, self._text))
        self._text = ""
