"""`python -m tools.client` writes what is generated of the Python client; with `--check`, it names
the files that are stale and ends with 1."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from api.main import app
from tools.client.models import types_of
from tools.client.sync import blocking

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "client" / "colt_client"
BY_HAND = {"io.py"}  # what the two worlds do differently


def wanted() -> dict[Path, str]:
    """The generated files."""
    files = {PACKAGE / name: text for name, text in types_of(app.openapi()).items()}
    for path in sorted((PACKAGE / "_async").glob("*.py")):
        if path.name not in BY_HAND:
            files[PACKAGE / "_sync" / path.name] = blocking(path.read_text("utf-8"))
    return {path: formatted(path, text) for path, text in files.items()}


def formatted(path: Path, text: str) -> str:
    """As `ruff` leaves it."""
    for command in (["check", "--fix-only", "--select", "I,F401,UP"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--quiet", "--stdin-filename", str(path), "-"]
        text = subprocess.run(ruff, cwd=ROOT, input=text, capture_output=True, text=True, check=True).stdout
    return text


def main(arguments: list[str]) -> int:
    files = wanted()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    kept = {path.name for path in files if path.parent.name == "_sync"} | BY_HAND
    orphans = [path for path in (PACKAGE / "_sync").glob("*.py") if path.name not in kept]
    if "--check" in arguments:
        for path in stale + orphans:
            print(f"{path.relative_to(ROOT)} is stale: commit what `make client` writes.")
        return 1 if stale or orphans else 0
    for path in stale:
        path.write_text(files[path], "utf-8")
    for path in orphans:
        path.unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
