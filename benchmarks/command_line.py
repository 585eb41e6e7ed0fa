"""How long a person waits for `colt job ls` with many jobs, and a script for all of them.

    python -m benchmarks.command_line

The command runs as a process of its own against a running API on SQLite. Its time includes the
start of the interpreter, which has a row of its own. Rows have the median and the slowest of
`--repeat` runs, and the median of the processor's time.

The script lists all jobs with the Python client, and with httpx alone: the same requests, parsed
with its `json()`. Both take turns in one process. The client also validates each answer.
"""

from __future__ import annotations

import argparse
import operator
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.load import add_finished, submit
from benchmarks.report import Report
from benchmarks.service import Service, register, until
from colt_client import Client

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "colt --help": ["-m", "cli", "--help"],
    "colt job ls": ["-m", "cli", "job", "ls"],
    "colt job ls --json": ["-m", "cli", "job", "ls", "--json"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=15)
    asked = parser.parse_args()
    report = Report("command_line")
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder))
        with service.running("api"):
            until(lambda: service.answers("/healthz"))
            with service.running("worker"):
                dataset, pool = register(service, 1024, 128)
            add_finished(service, submit(service, dataset, pool, sample_budget=16), asked.jobs)
            url = service.base_url.removesuffix("/api/v1")
            times = {name: measured(arguments, url, asked.repeat) for name, arguments in COMMANDS.items()}
            listing = listed(url, asked.jobs + 1, asked.repeat)
    rows = [
        [name, *(f"{value:.0f}" for value in (statistics.median(wall), max(wall), statistics.median(cpu)))]
        for name, (wall, cpu) in times.items()
    ]
    report.table(f"With {asked.jobs:,} jobs", ["command", "ms", "slowest", "processor"], rows)
    for name, (wall, _) in times.items():
        report.figure(f"{name.replace(' ', '_').replace('-', '')}_ms", statistics.median(wall))
    rows = [[name, f"{statistics.median(each):.2f}", f"{max(each):.2f}"] for name, each in listing.items()]
    report.table("All jobs, in pages of 200, as the client asks", ["with", "s", "slowest"], rows)
    report.ratio("client_over_httpx", statistics.median(map(operator.truediv, *listing.values())))
    report.close()


def listed(url: str, jobs: int, repeat: int) -> dict[str, list[float]]:
    """Seconds to list all jobs, in each of `repeat` turns."""
    seconds: dict[str, list[float]] = {"client": [], "httpx": []}
    with Client(url) as client, httpx.Client(base_url=f"{url}/api/v1", trust_env=False) as raw:

        def with_httpx() -> int:
            found, query = 0, {"limit": "200"}
            while True:
                page = raw.get("/jobs", params=query).raise_for_status().json()
                found += len(page["items"])
                if page["next_cursor"] is None:
                    return found
                query["cursor"] = page["next_cursor"]

        for _ in range(repeat + 1):
            for name, count in (("client", lambda: sum(1 for _ in client.jobs.list())), ("httpx", with_httpx)):
                began = time.perf_counter()
                assert count() == jobs
                seconds[name].append(time.perf_counter() - began)
    return {name: each[1:] for name, each in seconds.items()}  # the first turn warms up


def measured(arguments: list[str], url: str, repeat: int) -> tuple[list[float], list[float]]:
    """Wall times and processor times of the runs, in ms."""
    wall, cpu = [], []
    environment = {**os.environ, "COLT_URL": url}
    for _ in range(repeat):
        before, began = _used(), time.perf_counter()
        subprocess.run([sys.executable, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
        wall.append(1e3 * (time.perf_counter() - began))
        cpu.append(1e3 * (_used() - before))
    return wall, cpu


def _used() -> float:
    """Processor seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
