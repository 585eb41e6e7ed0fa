"""What is shipped: the dashboard is in the wheel, and no committed file names a machine or a
package index."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from tests.support.processes import REPOSITORY, clean_environment


def committed_files() -> list[Path]:
    names = subprocess.check_output(["git", "ls-files", "-z"], cwd=REPOSITORY, text=True).split("\0")
    return [REPOSITORY / name for name in names if name]


def test_the_entry_point_and_its_modules_exist() -> None:
    answer = subprocess.run(
        [Path(sys.executable).parent / "colt", "--help"],
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=True,
    )
    for command in ("up", "migrate", "api", "worker", "demo", "token", "health"):
        assert re.search(rf"^ +{command} ", answer.stdout, re.MULTILINE), command


def test_the_lock_file_of_the_dashboard_names_no_registry() -> None:
    assert '"resolved"' not in (REPOSITORY / "frontend" / "package-lock.json").read_text()


def test_no_file_names_an_index_or_a_path_of_one_machine() -> None:
    # Spelled so that this file does not find itself.
    forbidden = re.compile(r"--(extra-)?index-url|pypi\.org/simple|registry\.npmjs|/wor" + r"k/(main|shared)")
    found = []
    for path in committed_files():
        if path.suffix in {".png", ".npz", ".ico", ".woff2"} or path == Path(__file__):
            continue
        found += [f"{path}: {match.group()}" for match in forbidden.finditer(path.read_text(errors="replace"))]
    assert found == []


def test_scripts_are_executable_and_what_is_built_is_not_committed() -> None:
    staged = subprocess.check_output(["git", "ls-files", "--stage"], cwd=REPOSITORY, text=True)
    modes = {line.split("\t")[1]: line.split()[0] for line in staged.splitlines()}
    assert modes[".ci/run"] == modes["tools/with-node"] == "100755"
    assert not [name for name in modes if name.startswith("api/dashboard/") or "node_modules" in name]


def test_every_migration_every_template_and_the_built_dashboard_are_in_the_wheel(tmp_path: Path) -> None:
    # hatchling, the build back end, comes with the test extras; nothing is fetched.
    code = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        env=clean_environment(),
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for migration in (REPOSITORY / "store" / "migrations" / "versions").glob("0*.py"):
        assert f"store/migrations/versions/{migration.name}" in names
    for template in (REPOSITORY / "api" / "experiments" / "templates").glob("*.yaml"):
        assert f"api/experiments/templates/{template.name}" in names
    assert "store/migrations/script.py.mako" in names
    assert "api/dashboard/index.html" in names
    assert any(re.fullmatch(r"api/dashboard/assets/index-.*\.js", name) for name in names)
    assert not [name for name in names if name.startswith(("tests/", "frontend/", "benchmarks/"))]


def test_torch_and_torchvision_are_bounded_together() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    for name in ("torch", "torchvision"):
        (line,) = [item for item in project["dependencies"] if re.match(rf"{name}[<>=]", item)]
        assert ">=" in line
        assert "<" in line
    assert project["requires-python"] == ">=3.11"
