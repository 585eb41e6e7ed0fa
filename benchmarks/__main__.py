"""Quick runs of all benchmarks, and a last line of JSON with all their ratios.

    python -m benchmarks

Each script runs in a process of its own, so that none inherits another's memory or threads. The
machine's rate is the median over the scripts. If a script fails, the others still run, and the exit
status is 1.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

SCRIPTS = (
    "step",
    "augmentation",
    "losses",
    "tailness",
    "sampling",
    "neighbors",
    "registration",
    "epoch",
    "lightly_simclr",
    "devices",
    "start",
    "queries",
)


def main(scripts: Sequence[str] = SCRIPTS) -> int:
    """Run the scripts one after the other and print their output. Returns the exit status."""
    answers, failed = [], []
    for script in scripts:
        print(f"\n== {script}", flush=True)
        began = time.perf_counter()
        answer = run(script)
        print(f"\n({time.perf_counter() - began:.0f} s)", flush=True)
        if answer is None:
            failed.append(script)
        else:
            answers.append(answer)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    print("\n" + json.dumps(merged(answers)), flush=True)
    return 1 if failed else 0


def run(script: str) -> dict[str, Any] | None:
    """Run a script and print all its lines except the last, the JSON.

    Returns:
        The content of the last line, or None if the script failed.
    """
    command = [sys.executable, "-m", f"benchmarks.{script}", "--quick"]
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(last, end="", flush=True)
            last = line
    if process.returncode != 0:
        print(last, end="", flush=True)
        return None
    answer: dict[str, Any] = json.loads(last)
    return answer


def merged(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Merge the answers of scripts into one.

    Raises:
        ValueError: if two scripts have a ratio of the same name.
    """
    ratios: dict[str, float] = {}
    for answer in answers:
        if twice := ratios.keys() & answer["ratios"].keys():
            raise ValueError(
                f"{answer['benchmark']} has the same ratio names as another script: {', '.join(sorted(twice))}"
            )
        ratios |= answer["ratios"]
    machine = dict(answers[0]["machine"]) if answers else {}
    for rate in [key for key in machine if key.endswith("_gflops")]:
        machine[rate] = statistics.median(answer["machine"][rate] for answer in answers)
    return {"machine": machine, "ratios": ratios}


if __name__ == "__main__":
    sys.exit(main())
