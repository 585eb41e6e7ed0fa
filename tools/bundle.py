"""`python -m tools.bundle` gathers what a machine without a network installs.

A tar holds the project's wheel, the wheels of all that it needs in the versions
that are installed here, and `install.sh`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

INSTALL = ROOT / "tools" / "install.sh"


def bundle(project: Path, extras: str, out: Path) -> Path:
    """Write the bundle of a project.

    Args:
        project: folder with its `pyproject.toml`.
        extras: such as `service,s3`; may be empty.
        out: folder that gets the tar.

    Returns:
        The tar.

    Raises:
        subprocess.CalledProcessError: a wheel could not be built or fetched.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    scratch = out / ".bundle"
    shutil.rmtree(scratch, ignore_errors=True)
    wheels = scratch / "wheels"
    wheels.mkdir(parents=True)
    build = [*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(project.resolve())]
    subprocess.run(build, check=True)
    (own,) = wheels.glob("*.whl")
    name, version = own.name.split("-")[:2]
    frozen = subprocess.check_output([*pip, "freeze", "--exclude-editable"], text=True).splitlines()
    constraints = scratch / "constraints.txt"
    # A package that was installed from a file or a folder is on no index under that address.
    constraints.write_text("\n".join(line for line in frozen if "==" in line) + "\n")
    wanted = f"{own}[{extras}]" if extras else str(own)
    fetch = [*pip, "wheel", "--quiet", "--wheel-dir", str(wheels), "--constraint", str(constraints), wanted]
    subprocess.run(fetch, check=True)

    requirement = f"{name.replace('_', '-')}{f'[{extras}]' if extras else ''}=={version}"
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    script = INSTALL.read_text("utf-8").replace("@PYTHON@", python).replace("@REQUIREMENT@", requirement)
    (scratch / "install.sh").write_text(script)
    folder = f"{name.replace('_', '-')}-{version}"
    tar = out / f"{folder}.tar"
    with tarfile.open(tar, "w") as archive:  # wheels are compressed already
        archive.add(scratch, folder)
    shutil.rmtree(scratch)
    return tar


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bundle", description=__doc__.partition("\n")[0])
    parser.add_argument("--project", type=Path, default=ROOT, help="folder with a pyproject.toml")
    parser.add_argument("--extras", default="service", help="such as service,s3")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder that gets the tar")
    given = parser.parse_args()
    print(bundle(given.project, given.extras, given.out))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
