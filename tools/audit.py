"""Looks for known vulnerabilities of the installed packages, Python's and npm's (`make audit`).

It exits with 1 when it finds one. Where the index answers no advisories, nothing is audited.
Then it says so and exits with 0. It names each package that was skipped, such as a build of torch
that the index does not know.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def main() -> int:
    found: list[str] = []
    for kind, audit in (("Python", audit_python), ("npm", audit_npm)):
        vulnerable = audit()
        if vulnerable is None:
            print(f"NOT AUDITED: {kind} packages; the index answers no advisories. See docs/operate.md.")
        else:
            print(f"{kind} packages: {len(vulnerable)} known vulnerabilities")
            found += vulnerable
    print("\n".join(found))
    return 1 if found else 0


def audit_python() -> list[str] | None:
    """`package version: advisory` of each; None where the index gives none."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as probe:
        probe.write("pip==20.0\n")  # of which vulnerabilities are known
        probe.flush()
        if not any(package.get("vulns") for package in pip_audit("-r", probe.name, "--no-deps", "--disable-pip")):
            return None
    packages = pip_audit("--skip-editable")
    print("\n".join(skipped(packages)))
    return [
        f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in "
        f"{', '.join(vulnerability['fix_versions']) or 'no version yet'}"
        for package in packages
        for vulnerability in package.get("vulns", [])
    ]


def skipped(packages: list[dict[str, Any]]) -> list[str]:
    """A line for each package of pip-audit's report that it did not look up."""
    reasons = {package["name"]: package["skip_reason"] for package in packages if "skip_reason" in package}
    return [f"NOT AUDITED: {name}: {reason}" for name, reason in sorted(reasons.items())]


def pip_audit(*arguments: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=600)
    try:
        packages: list[dict[str, Any]] = json.loads(answer.stdout)["dependencies"]
    except ValueError:  # no index at all
        return []
    return packages


def audit_npm() -> list[str] | None:
    """The same for the dashboard's locked packages."""
    command = [str(ROOT / "tools" / "with-node"), "npm", "audit", "--json"]
    answer = subprocess.run(command, cwd=ROOT / "frontend", capture_output=True, text=True, timeout=600)
    report = json.loads(answer.stdout or "{}")
    if "auditReportVersion" not in report:
        return None
    return [f"{name}: {item['severity']}, {item['range']}" for name, item in report["vulnerabilities"].items()]


if __name__ == "__main__":
    sys.exit(main())
