"""What is shipped: dashboard and guide are in the wheel, and no committed file names a machine or a
package index."""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

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
    assert not [name for name in modes if name.startswith(("api/dashboard/", "api/guide/")) or "node_modules" in name]


def build(hook: str, source: Path, out: Path) -> Path:
    """What the build back end makes of a folder.

    It comes with the test extras, so nothing is fetched.
    """
    code = f"import sys; from hatchling.build import {hook}; print({hook}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)],
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the sdist. So it has no git to ask, as on another machine."""
    folder = tmp_path_factory.mktemp("shipped")
    sdist = build("build_sdist", REPOSITORY, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return build("build_wheel", folder / sdist.name.removesuffix(".tar.gz"), folder)


def test_every_migration_every_template_dashboard_and_guide_are_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for migration in (REPOSITORY / "store" / "migrations" / "versions").glob("0*.py"):
        assert f"store/migrations/versions/{migration.name}" in names
    for template in (REPOSITORY / "api" / "experiments" / "templates").glob("*.yaml"):
        assert f"api/experiments/templates/{template.name}" in names
    for page in (REPOSITORY / "docs").glob("*.md"):
        assert f"api/guide/{page.stem}.html" in names
    assert {"api/guide/searchindex.js", "api/guide/_static/theme.js"} <= names
    assert "store/migrations/script.py.mako" in names
    assert "api/dashboard/index.html" in names
    assert any(re.fullmatch(r"api/dashboard/assets/index-.*\.js", name) for name in names)
    assert not [name for name in names if name.startswith(("tests/", "frontend/", "benchmarks/", "docs/", "tools/"))]


def test_the_wheel_serves_dashboard_and_guide_from_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(installed)
    program = """
from fastapi.testclient import TestClient
import api.main
print(api.main.__file__)
with TestClient(api.main.app, base_url="http://localhost") as client:
    print(client.get("/").status_code, client.get("/guide").status_code, client.get("/openapi.json").json()["info"])
"""
    env = clean_environment(PYTHONPATH=str(installed), COLT_HOME=str(tmp_path / "home"))
    printed = subprocess.check_output([sys.executable, "-c", program], cwd=tmp_path, env=env, text=True).splitlines()
    assert printed[0].startswith(str(installed))
    assert printed[1].startswith("200 200 ")
    assert wheel.name.split("-")[1] in printed[1]


def test_the_metadata_name_the_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = email.message_from_bytes(archive.read(name))
    assert metadata["License-Expression"] == "Apache-2.0"
    assert archive.read(name.replace("METADATA", "licenses/LICENSE")).split()[:2] == [b"Apache", b"License"]


def test_the_version_is_that_of_the_tag(tmp_path: Path) -> None:
    """In a repository with our settings and nothing else; the checkout itself may have no tags."""
    project = tmp_path / "project"
    (project / "api").mkdir(parents=True)
    (project / "api" / "__init__.py").touch()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, project / name)
    settings = (project / "pyproject.toml").read_text()
    packages = 'packages = ["api", "cli", "client/colt_client", "colt_core", "store", "worker"]'
    assert packages in settings
    (project / "pyproject.toml").write_text(settings.replace(packages, 'packages = ["api"]'))
    assert build("build_wheel", project, tmp_path).name.split("-")[1] == "0.1.0"  # no git at all
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], cwd=project, check=True)
    assert build("build_wheel", project, tmp_path).name.split("-")[1].startswith("0.1.1.dev1")  # no tags
    subprocess.run([*git, "tag", "v2.3.4"], cwd=project, check=True)
    assert build("build_wheel", project, tmp_path).name.split("-")[1] == "2.3.4"


def test_torch_and_torchvision_are_bounded_together() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    for name in ("torch", "torchvision"):
        (line,) = [item for item in project["dependencies"] if re.match(rf"{name}[<>=]", item)]
        assert ">=" in line
        assert "<" in line
    assert project["requires-python"] == ">=3.11"
