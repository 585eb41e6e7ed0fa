"""The prose of a Python module: docstrings, comments and messages."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from tools.prose.rules import Passage, Prose

# In docstrings and comments, list items and entries of Google sections are passages of their own.
_SECTION = re.compile(r"(?:Args|Attributes|Raises|Returns|Yields|Example|Examples|Note):$")
_ITEM = re.compile(r"(?:[-*] |\d+\. )")
_ENTRY = re.compile(r"[`*\w][\w`*., \[\]]{0,60}: ")
_PROGRAM = re.compile(r"^\s*(?:import|from \S+ import) \w", re.MULTILINE)
_NO_PROSE = re.compile(r"#(?:!|:| ?noqa| ?type:| ?fmt:| ?pragma| ?nosec)")


def read(source: str) -> Prose:
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
    passages += (message for message in _messages(tree, docstrings) if not _PROGRAM.search(message.text))
    for first, comment in _comments(source):
        passages += _paragraphs(first, comment)
        lines += range(first, first + len(comment))
    code_and_comment = {line for line in lines if not _is_prose_alone(source.splitlines()[line - 1])}
    return Prose(passages, sorted(set(lines) - code_and_comment))


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
