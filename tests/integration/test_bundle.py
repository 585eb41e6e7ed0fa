"""A bundle installs where there is no network. The client's is made, since that of the service has
gigabytes; the code is the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pydantic
import pytest

from tests.support.processes import REPOSITORY, clean_environment

NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody answers


def without_network(command: list[str]) -> list[str]:
    """The command in a network namespace that has no device, where this user may have one."""
    own = ["unshare", "--net", *([] if os.getuid() == 0 else ["--map-root-user"])]
    try:
        allowed = subprocess.run([*own, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    return [*own, *command] if allowed else command


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    command = [sys.executable, "-m", "tools.bundle", "--project", "client", "--extras", "", "--out", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, env=clean_environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (tar,) = folder.iterdir()
    assert tar == Path(done.stdout.strip())
    with tarfile.open(tar) as archive:
        archive.extractall(folder, filter="data")
    return folder / tar.stem


def test_it_installs_without_a_network_in_the_versions_of_here(unpacked: Path, tmp_path: Path) -> None:
    install = re.findall(r"^sh (\S+)/install\.sh (\S+)", (REPOSITORY / "docs" / "air-gapped.md").read_text(), re.M)
    assert install == [("colt-studio-*", "/opt/colt")]
    target = tmp_path / "venv"
    env = clean_environment(PYTHON=sys.executable, http_proxy=NOWHERE, https_proxy=NOWHERE, all_proxy=NOWHERE)
    env.pop("PYTHONPATH")
    command = without_network(["sh", str(unpacked / "install.sh"), str(target)])
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    program = "import colt_client, pydantic; print(colt_client.__file__, pydantic.VERSION)"
    printed = subprocess.check_output([target / "bin" / "python", "-c", program], cwd=tmp_path, env=env, text=True)
    assert printed.split()[1] == pydantic.VERSION
    assert printed.startswith(str(target))


def test_a_missing_wheel_ends_the_installation(unpacked: Path, tmp_path: Path) -> None:
    (wheel,) = (unpacked / "wheels").glob("httpx-*.whl")
    wheel.rename(tmp_path / wheel.name)
    try:
        env = clean_environment(PYTHON=sys.executable)
        command = ["sh", str(unpacked / "install.sh"), str(tmp_path / "venv")]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    finally:
        (tmp_path / wheel.name).rename(wheel)
    assert done.returncode != 0
    assert "httpx" in done.stderr
