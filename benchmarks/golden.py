"""Checks our numbers against those of the released code.

    python -m benchmarks.golden FILE.npz

The file holds inputs, and outputs of the released code on them: of COLT, SDCLR, BCL, MAK, or of
SDCLR's probes. `tests/golden/README.md` describes the arrays. A line is printed for each quantity,
with its largest deviation and the tolerance. The exit status is 1 if a deviation is too large, and
2 if the file cannot be read.
"""

from __future__ import annotations

import argparse
import re
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from benchmarks.released import bcl, colt, mak, probe, sdclr
from benchmarks.released.check import Arrays, Check

# By the name of an array that no other kind of file has.
KINDS: dict[str, Callable[[Arrays], Iterable[Check]]] = {
    r"(loss|sample)\d+_\w+": colt.checks,
    "prune_share": sdclr.checks,
    "op_images": bcl.checks,
    "kcenter": mak.checks,
    "initial_weight": probe.checks,
}


def check_file(path: Path) -> list[Check]:
    """Check every quantity of the file.

    Raises:
        ValueError: if the file is of no known kind, or lacks an array.
        OSError: if the file cannot be read.
    """
    if not zipfile.is_zipfile(path):
        path.stat()  # OSError if there is no such file
        raise ValueError(f"{path} is not an .npz file")
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file.items())
    for telling, checks in KINDS.items():
        if any(re.fullmatch(telling, key) for key in arrays):
            try:
                return list(checks(arrays))
            except KeyError as missing:
                raise ValueError(f"{path} lacks {missing}") from None
    raise ValueError(f"{path} has no case of a known kind")


def main(arguments: list[str] | None = None) -> int:
    """Print the table. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.golden", description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    path = parser.parse_args(arguments).file
    try:
        checks = check_file(path)
    except (OSError, ValueError, zipfile.BadZipFile) as problem:
        print(f"benchmarks.golden: {problem}", file=sys.stderr)
        return 2
    width = max(len(check.quantity) for check in checks)
    for check in checks:
        verdict = "ok" if check.passed else "OUT"
        print(f"{check.quantity:{width}}  deviation {check.deviation:.2e}  tolerance {check.tolerance:.0e}  {verdict}")
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
