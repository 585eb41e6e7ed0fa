"""Checks how prose reads (`make prose`): pages, docstrings, comments and messages.

There are three rules:
- a sentence has at most 25 words;
- our word list (tools/prose.toml) names wordings to avoid, each with a better one;
- a line of prose has at most 100 columns.

Tables, code blocks and URLs may be wider. In code, docstrings and comments are lines of prose.

    python tools/prose.py                   # the rooms that pyproject.toml lists under [tool.prose]
    python tools/prose.py colt_core api     # these folders or files

No maintained tool does this offline:
- proselint 0.16 measures no sentences and takes no word list of one's own;
- textlint-rule-sentence-length counts characters;
- textlint-rule-en-max-word-count counts words, with a sentence splitter three major versions old;
- none of them reads Python.
So this is a small program on markdown-it-py.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import textwrap
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
MAX_WORDS = 25
MAX_COLUMNS = 100

# A full stop ends a sentence before a capital letter, a digit, a quote, a bracket or code.
_END = re.compile(r"""(?<=[.!?])["')\]*_]*\s+(?=["'(\[*_]*[A-Z0-9`])""")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|cf|vs|Fig|No|al|approx)|\b[A-Z])\.$")
_CODE = re.compile(r"(`+)[^`]+\1")
_URL = re.compile(r"https?://\S+")
# In docstrings and comments, list items and entries of Google sections are passages of their own.
_SECTION = re.compile(r"(?:Args|Attributes|Raises|Returns|Yields|Example|Examples|Note):$")
_ITEM = re.compile(r"(?:[-*] |\d+\. )")
_ENTRY = re.compile(r"[`*\w][\w`*., \[\]]{0,60}: ")
_NO_PROSE = re.compile(r"#(?:!|:| ?noqa| ?type:| ?fmt:| ?pragma| ?nosec)")


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


def check(path: Path, words: dict[str, str]) -> list[Finding]:
    """What one file has against the rules, from its first line to its last."""
    source = path.read_text("utf-8")
    passages, prose_lines = (markdown if path.suffix == ".md" else python)(source)
    findings = [finding for passage in passages for finding in _check_passage(passage, words)]
    lines = source.splitlines()
    for line in prose_lines:
        if len(text := _URL.sub("", lines[line - 1])) > MAX_COLUMNS:
            findings.append(Finding(line, "columns", f"{len(text)} columns; wrap prose at {MAX_COLUMNS}"))
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
    """What stands between blanks and has a letter or a digit; code and a URL are a word each."""
    return sum(any(character.isalnum() for character in word) for word in sentence.split())


def markdown(source: str) -> tuple[list[Passage], list[int]]:
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
    return passages, [line for line in range(1, len(source.splitlines()) + 1) if line not in unwrapped]


def _plain(children: list[Token]) -> str:
    """The text of inline tokens; code counts as one word, an image as none."""
    texts = {"text": None, "softbreak": "\n", "hardbreak": "\n", "code_inline": "`x`"}
    return "".join(texts[token.type] or token.content for token in children if token.type in texts)


def python(source: str) -> tuple[list[Passage], list[int]]:
    """Docstrings, comments and strings of a module, and the lines to wrap."""
    passages, lines = [], []
    docstrings = set()
    for node in ast.walk(tree := ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            literal = node.body[0].value
            docstrings.add(literal)
            passages += _paragraphs(literal.lineno, literal.value.splitlines())
            lines += range(literal.lineno, literal.end_lineno + 1)
    passages += _messages(tree, docstrings)
    for first, comment in _comments(source):
        passages += _paragraphs(first, comment)
        lines += range(first, first + len(comment))
    code_and_comment = {line for line in lines if not _is_prose_alone(source.splitlines()[line - 1])}
    return passages, sorted(set(lines) - code_and_comment)


def _is_prose_alone(line: str) -> bool:
    """Whether a line holds no code before its comment."""
    return "#" not in line or line.lstrip().startswith("#") or '"""' in line


def _messages(tree: ast.AST, docstrings: set[ast.expr]) -> Iterator[Passage]:
    """String literals that hold words; what an f-string fills in counts as one word."""
    parts: set[ast.expr] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts.update(part for child in ast.iter_child_nodes(node) for part in ast.walk(child))
            if node not in parts:
                text = "".join(part.value if isinstance(part, ast.Constant) else "`x`" for part in node.values)
                yield Passage(node.lineno, text)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value
            and node not in docstrings
            and node not in parts
        ):
            yield Passage(node.lineno, node.value)


def _comments(source: str) -> Iterator[tuple[int, list[str]]]:
    """Comments, those on lines of their own that follow one another as one."""
    block: list[str] = []
    first = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, alone = token.start[0], not token.line[: token.start[1]].strip()
        if block and not (alone and line == first + len(block)):
            yield first, block
            block = []
        if _NO_PROSE.match(token.string):
            continue
        text = token.string.removeprefix("#").removeprefix(" ")
        if not alone:
            yield line, [text]
        else:
            first = first if block else line
            block.append(text)
    if block:
        yield first, block


def _paragraphs(first: int, lines: list[str]) -> Iterator[Passage]:
    """Paragraphs, list items and entries of sections."""
    block: list[str] = []
    in_section, begun, indent = False, first, 0

    for number, line in enumerate([*lines, ""], first):
        text = line.strip()
        depth = len(line) - len(line.lstrip())
        is_heading = bool(_SECTION.match(text))
        is_new = bool(_ITEM.match(text)) or (in_section and depth <= indent and bool(_ENTRY.match(text)))
        if block and (not text or is_heading or is_new):
            yield Passage(begun, "\n".join(block))
            block = []
        if is_heading:
            in_section = True
        elif text:
            if not block:
                begun, indent = number, depth
            block.append(text)


def files(names: list[str]) -> Iterator[Path]:
    for name in names:
        path = ROOT / name
        if not path.exists():
            sys.exit(f"There is no file or folder {name}.")
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (file for file in found if file.suffix in {".md", ".py"} and "node_modules" not in file.parts)


def shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def main() -> int:
    rooms = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["prose"]["rooms"]
    words = tomllib.loads((ROOT / "tools" / "prose.toml").read_text("utf-8"))["words"]
    found: Counter[str] = Counter()
    for path in files(sys.argv[1:] or rooms):
        for finding in check(path, words):
            print(f"{shown(path)}:{finding.line}: {finding.message}")
            found[finding.rule] += 1
    if found:
        print(f"{found.total()} findings: " + ", ".join(f"{count} {rule}" for rule, count in sorted(found.items())))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
