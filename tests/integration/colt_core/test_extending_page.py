"""The page on extending, followed to the letter in a copy of the code: its entries, its files, and
the tests that it writes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY, clean_environment

PAGE = (REPOSITORY / "docs" / "extending.md").read_text("utf-8")
STEP = re.compile(r"^(Add|Write)\b[^`]*`([^`]+)`.*?\n```(?:python|markdown)\n(.*?)```", re.MULTILINE | re.DOTALL)


@pytest.mark.timeout(600)
def test_what_it_adds_works_and_passes_its_own_tests(tmp_path: Path) -> None:
    for name in ("colt_core", "docs", "tests"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    steps = [(verb, tmp_path / name, block) for verb, name, block in STEP.findall(PAGE)]
    written = [path for verb, path, _ in steps if verb == "Write"]
    assert len(steps) >= 16 and len(written) == 8
    for verb, path, block in steps:
        if verb == "Write":
            assert not path.exists()
            path.write_text(block)
        elif path.name == "__init__.pyi":
            name = block.split()[-1]
            text = path.read_text().replace("\nfrom ", f"\n{block}from ", 1)
            path.write_text(text.replace("__all__ = [", f'__all__ = ["{name}", ', 1))
        else:
            path.write_text(f"{path.read_text().rstrip()}\n\n\n{block}")
    tests = [name for name in (str(path.relative_to(tmp_path)) for path in written) if name.startswith("tests/")]
    assert len(tests) == 4
    env = {**clean_environment(), "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        [*command, "tests/unit/colt_core/test_method_page.py"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert str(tmp_path) in subprocess.check_output(
        [sys.executable, "-c", "import colt_core; print(colt_core.__file__)"], cwd=tmp_path, env=env, text=True
    )
    (train, _) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    assert "epochs: 4" in train
    train = train.replace("/tmp/", f"{tmp_path}/").replace(".venv/bin/python", sys.executable)
    train = train.replace("epochs: 4", "epochs: 2\\nwidth: 4\\nsample_budget: 50\\nnum_clusters: 4")
    subprocess.run(["bash", "-c", f"set -e\n{train}"], cwd=tmp_path, env=env, check=True, timeout=300)
    assert (tmp_path / "decoupled" / "checkpoint.pt").is_file()
