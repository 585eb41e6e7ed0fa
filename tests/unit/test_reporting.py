"""What the suite says about itself: nothing is left out in silence, and in CI nothing at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import clean_environment

SUITE = """
import pytest
from tests.support.missing import cannot_run

def test_runs():
    pass

def test_lacks_something():
    cannot_run("no spoon here")

@pytest.mark.skip(reason="skipped by hand")
def test_skipped():
    pass
"""


def run_suite(folder: Path, ci: str, suite: str = SUITE) -> tuple[int, str]:
    (folder / "test_suite.py").write_text(suite)
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.reporting", "-p", "no:cacheprovider", str(folder)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=clean_environment(CI=ci, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),  # others' would take a second each
        timeout=120,
        check=False,
    )
    return answer.returncode, answer.stdout


def test_what_could_not_run_is_listed_with_its_reason(tmp_path: Path) -> None:
    code, output = run_suite(tmp_path, ci="")
    assert code == 0, output
    section = output.split("could not run")[1]
    assert "test_suite.py::test_lacks_something: no spoon here" in section
    assert "test_suite.py::test_skipped: skipped by hand" in section
    assert "1 passed, 2 skipped" in output


def test_in_ci_a_missing_thing_is_an_error(tmp_path: Path) -> None:
    code, output = run_suite(tmp_path, ci="true")
    assert code == 1
    assert "1 failed, 1 passed, 1 skipped" in output


@pytest.mark.parametrize(("ci", "expected"), [("true", 1), ("", 0)])
def test_in_ci_a_skip_of_any_kind_is_an_error(tmp_path: Path, ci: str, expected: int) -> None:
    suite = (
        "import pytest\n\ndef test_runs():\n    pass\n\ndef test_other():\n    pytest.importorskip('no_such_module')\n"
    )
    code, output = run_suite(tmp_path, ci, suite)
    assert code == expected, output


def test_a_whole_suite_says_so(tmp_path: Path) -> None:
    code, output = run_suite(tmp_path, ci="true", suite="def test_runs():\n    pass\n")
    assert code == 0
    assert "Nothing was left out" in output
