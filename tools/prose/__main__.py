"""Checks how prose reads (`make prose`): pages, docstrings, comments and messages.

There are three rules:
- a sentence has at most 25 words;
- our word list (words.toml) names wordings to avoid, each with a better one;
- a line of prose has at most 100 columns.

Tables, code blocks and URLs may be wider. In code, docstrings and comments are lines of prose.

    python -m tools.prose                   # the rooms that pyproject.toml lists under [tool.prose]
    python -m tools.prose colt_core api     # these folders or files

Files under `skip` in the same table are left out.

No maintained tool does this offline:
- proselint 0.16 measures no sentences and takes no word list of one's own;
- textlint-rule-sentence-length counts characters;
- textlint-rule-en-max-word-count counts words, with a sentence splitter three major versions old;
- none of them reads Python.
So this is a small program on markdown-it-py.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.prose import markdown, python, svelte
from tools.prose.rules import Finding, Prose, check

ROOT = Path(__file__).parents[2]
READERS: dict[str, Callable[[str], Prose]] = {
    ".md": markdown.read,
    ".py": python.read,
    ".svelte": svelte.read,
    ".ts": svelte.read_script,
}
LEFT_OUT = {"node_modules", "dashboard", "schema.d.ts"}  # written by others or by a program


def check_file(path: Path, words: dict[str, str]) -> list[Finding]:
    """What one file has against the rules."""
    source = path.read_text("utf-8")
    return check(source, READERS[path.suffix](source), words)


def files(names: list[str], skipped: list[str]) -> Iterator[Path]:
    for name in names:
        path = ROOT / name
        if not path.exists():
            sys.exit(f"There is no file or folder {name}.")
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in found:
            is_skipped = any(file.is_relative_to(ROOT / left_out) for left_out in skipped)
            if file.suffix in READERS and LEFT_OUT.isdisjoint(file.parts) and not is_skipped:
                yield file


def main() -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["prose"]
    words = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))["words"]
    found: Counter[str] = Counter()
    for path in files(sys.argv[1:] or settings["rooms"], settings["skip"]):
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        for finding in check_file(path, words):
            print(f"{shown}:{finding.line}: {finding.message}")
            found[finding.rule] += 1
    if found:
        print(f"{found.total()} findings: " + ", ".join(f"{count} {rule}" for rule, count in sorted(found.items())))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
