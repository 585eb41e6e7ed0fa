"""The prose of a Markdown page."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tools.prose.rules import Passage, Prose


def read(source: str) -> Prose:
    """The passages of a page, and the lines to wrap: all outside of code and tables."""
    tokens = MarkdownIt("commonmark").enable("table").parse(source)
    passages = [
        Passage(token.map[0] + 1, _plain(token.children or []))
        for token in tokens
        if token.type == "inline" and token.map
    ]
    unwrapped = {
        line
        for token in tokens
        if token.type in {"fence", "code_block", "table_open", "html_block"} and token.map
        for line in range(token.map[0] + 1, token.map[1] + 1)
    }
    return Prose(passages, [line for line in range(1, len(source.splitlines()) + 1) if line not in unwrapped])


def _plain(children: list[Token]) -> str:
    """The text of inline tokens; code counts as one word, an image as none."""
    texts = {"text": None, "softbreak": "\n", "hardbreak": "\n", "code_inline": "`x`"}
    return "".join(texts[token.type] or token.content for token in children if token.type in texts)
