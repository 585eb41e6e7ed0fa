"""The prose checker finds what breaks its rules, at the right line, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tools.prose.__main__ import ROOT, check_file
from tools.prose.rules import MAX_WORDS

WORDS = {"taken back": "undone", "insist": "retry"}
LONG = " ".join(["Word"] * (MAX_WORDS + 1)) + "."
WRAPPED = textwrap.fill(LONG, 80)
FITTING = textwrap.fill(" ".join(["Word"] * MAX_WORDS) + ".", 80)
ONE_LINE = " ".join(["word"] * (MAX_WORDS - 1))


def found(tmp_path: Path, name: str, text: str) -> list[tuple[int, str]]:
    (tmp_path / name).write_text(text)
    return [(finding.line, finding.rule) for finding in check_file(tmp_path / name, WORDS)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WRAPPED, [(1, "sentence")]),
        (f"# A heading\n\n{WRAPPED}\n", [(3, "sentence")]),
        (f"Short.\nThis is short too. {WRAPPED}", [(2, "sentence")]),
        (f"- one\n- {WRAPPED}", [(2, "sentence")]),
        (f"| a | b |\n|---|---|\n| c | {LONG} |\n", [(3, "sentence")]),
        (f"{FITTING} Short.\n{FITTING}", []),
        ("`a code span of many words` is one word, " * 3, [(1, "columns")]),
        (f"```\n{LONG}\n```\n", []),
        (f"Indented code:\n\n    {LONG}\n", []),
        ("This cannot be Taken\nback.", [(1, "word")]),
        ("`insist` in code is a name; insistent is another word.", []),
        ("x" * 100 + "\n" + "x" * 101, [(2, "columns")]),
        (f"See https://example.org/{'x' * 100}", []),
        (f"| {'x' * 101} |\n|---|\n", []),
        ("Bai et al. (2023), e.g. Fig. 2, " + "word " * 5 + "\n" + "word " * 13 + "end.", [(1, "sentence")]),
    ],
)
def test_in_markdown(tmp_path: Path, text: str, expected: list[tuple[int, str]]) -> None:
    assert found(tmp_path, "page.md", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'"""{WRAPPED}"""\n', [(1, "sentence")]),
        (f'def f():\n    """Short.\n\n    {WRAPPED}\n    """\n', [(4, "sentence")]),
        ("# Cannot be taken\n# back.\n", [(1, "word")]),
        ("x = 1  # taken back\n", [(1, "word")]),
        ("# taken\nx = 1\n# back\n", []),
        (f"# {'x' * 99}\nx = 1  # {'x' * 100}\n", [(1, "columns")]),
        (f'x = """{FITTING}"""\n', []),
        (f'raise ValueError(\n    "{ONE_LINE} "\n    "and more."\n)\n', [(2, "sentence")]),
        (f'x = f"{ONE_LINE} {{a + b}}."\n', []),
        (f'x = f"{ONE_LINE} {{a + b}} more."\n', [(1, "sentence")]),
        ('insist = take("insist")\n', []),
        (f'x = """\nfrom a import b\n{WRAPPED}\n"""\n', []),
        (f'x = f"""\nimport a\n{WRAPPED}\n"""\n', []),
        (f'x = "Such files can {ONE_LINE} import."\n', [(1, "sentence")]),
        (f'"""Short.\n\nArgs:\n    a: {ONE_LINE[:60]}\n    b: {ONE_LINE[:60]}\n"""\n', []),
        (f'"""Short.\n\nArgs:\n    a: {ONE_LINE[:60]}\n        {ONE_LINE[:60]} end\n"""\n', [(4, "sentence")]),
    ],
)
def test_in_python(tmp_path: Path, text: str, expected: list[tuple[int, str]]) -> None:
    assert found(tmp_path, "module.py", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"<p>Short.</p>\n<p>\n  {WRAPPED}\n</p>\n", [(3, "sentence")]),
        (f"<p>{ONE_LINE} <b>and</b> more.</p>\n", [(1, "sentence")]),
        (f"<p>{ONE_LINE} more.</p><p>And this.</p>\n", []),
        (f"<p>{ONE_LINE} {{a > b ? 'one' : `two`}}</p>\n", []),
        (f"{{#if a > b}}\n  <p>{ONE_LINE} {{a}} more.</p>\n{{/if}}\n", [(2, "sentence")]),
        ("<p>{a ? 'It is taken back.' : ''}</p>\n", [(1, "word")]),
        ('<Field\n  help="It is taken back." class="taken back" />\n', [(2, "word")]),
        ("<script lang=\"ts\">\n  // don't\n  const said = 'It is taken back.';\n</script>\n", [(3, "word")]),
        ("<style>\n  /* taken back */\n</style>\n", []),
    ],
)
def test_in_components(tmp_path: Path, text: str, expected: list[tuple[int, str]]) -> None:
    assert found(tmp_path, "Component.svelte", text) == expected


def test_in_typescript(tmp_path: Path) -> None:
    text = "/* it's taken back */\nexport const insist = `It is\n taken back, ${name}.`;\n"
    assert found(tmp_path, "texts.ts", text) == [(3, "word")]


def test_the_program_reports_file_and_line_and_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("One line.\nIt is thinned.\n")
    command = [sys.executable, "-m", "tools.prose"]
    ended = subprocess.run([*command, str(page)], capture_output=True, text=True, cwd=ROOT)
    assert f"{page}:2: 'thinned'" in ended.stdout
    assert "1 findings: 1 word" in ended.stdout
    assert ended.returncode == 1
    page.write_text("One line.\n")
    assert subprocess.run([*command, str(page)], capture_output=True, text=True, cwd=ROOT).returncode == 0
    assert subprocess.run([*command, __file__], cwd=ROOT).returncode == 0  # it is skipped
    assert (
        "no file or folder" in subprocess.run([*command, "elsewhere"], capture_output=True, text=True, cwd=ROOT).stderr
    )
