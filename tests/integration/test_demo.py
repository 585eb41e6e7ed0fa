"""`colt demo` against a running service, at a few epochs."""

from __future__ import annotations

import re
import sys

import pytest

from tests.support.processes import Process
from tests.support.stack import Stack, StartStack


@pytest.fixture(scope="module")
def service(start_module_stack: StartStack) -> Stack:
    return start_module_stack("embedded")


def demo(service: Stack, name: str, *arguments: str) -> tuple[int, str]:
    process = Process(name, [sys.executable, "-m", "cli", "demo", *arguments], env=service.env, folder=service.folder)
    process.start()
    return process.wait(400), process.output()


def test_it_prints_both_columns_and_the_addresses(service: Stack) -> None:
    code, output = demo(service, "demo", "--epochs", "2")
    assert code == 0, output

    rows = [line.split() for line in output.splitlines()]
    header = rows.index(["class", "group", "training", "images", "SimCLR", "COLT"])
    classes = rows[header + 2 : header + 12]
    counts = [int(row[2]) for row in classes]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] // counts[-1] >= 20
    totals = {row[0]: row[1:] for row in rows[header + 13 : header + 19]}
    assert totals.keys() == {"Many", "Medium", "Few", "-" * len(output.splitlines()[header + 1]), "All", "Std"}
    jobs = {job["name"]: job for job in service.client.get("/api/v1/jobs").json()["items"]}
    assert jobs.keys() == {"demo SimCLR", "demo COLT"}
    for column, name in enumerate(("demo SimCLR", "demo COLT")):
        job = jobs[name]
        assert f"{service.url}/jobs/{job['id']}" in output
        (result,) = service.client.get(f"/api/v1/jobs/{job['id']}/evaluations").json()["items"]
        assert totals["All"][column] == f"{100 * result['balanced_accuracy']:.1f}"
        assert totals["Std"][column] == f"{100 * result['group_std']:.1f}"
        assert [row[3 + column] for row in classes] == [
            f"{100 * result['per_class_accuracy'][int(row[0])]:.1f}" for row in classes
        ]

    tail = rows[rows.index(["pool", "index", "tailness", "cluster", "similarity", "selected"]) + 2 :][:5]
    tailness = [float(row[1]) for row in tail]
    assert tailness == sorted(tailness, reverse=True)
    assert {row[-1] for row in tail} == {"yes"}
    assert re.search(r"^Done in \d+ s\.", output, re.MULTILINE)
    query = "&".join(f"job_id={jobs[name]['id']}" for name in ("demo SimCLR", "demo COLT"))  # the baseline is first
    assert output.split()[-1] == f"{service.url}/compare?{query}"


def test_it_registers_nothing_twice_and_tells_why_a_job_is_refused(service: Stack) -> None:
    first, _ = demo(service, "first", "--epochs", "0")
    code, output = demo(service, "second", "--epochs", "0")
    assert (first, code) == (1, 1)
    assert "Registering" not in output
    assert "422" in output
    assert "Traceback" not in output
    assert len(service.client.get("/api/v1/datasets").json()["items"]) == 1
    assert len(service.client.get("/api/v1/ood-pools").json()["items"]) == 1
