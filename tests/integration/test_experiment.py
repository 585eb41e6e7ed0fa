"""A tiny experiment through API and working programs, from its protocol file to its tables."""

from __future__ import annotations

import csv
import math
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import yaml

from benchmarks.experiments.protocol import Protocol
from benchmarks.experiments.run import run
from benchmarks.experiments.values import markdown, read, write
from colt_client import Client
from store.database import writing
from store.repositories import workers
from tests.support.forking import forked_worker
from tests.support.processes import REPOSITORY, clean_environment
from tests.support.stack import Stack, StartStack
from worker.devices import own_devices
from worker.reconciler import FORGET_WORKERS_AFTER

TAIL = {"profile": "exp", "imbalance_ratio": 20}
ROUNDS = {"warmup_epochs": 1, "sample_interval": 1, "sample_budget": 50, "num_clusters": 4}
PROTOCOL = {
    "data": [{"name": "d", "source": {"kind": "sample", "name": "digits"}, "image_size": 32, "long_tail": TAIL}],
    "pool": {"name": "p", "source": {"kind": "sample", "name": "glyphs-and-patches"}, "image_size": 32},
    "experiment": {
        "name": "tiny",
        "config": {"preset": "digits", "epochs": 3, "width": 8, **ROUNDS},
        "arms": [
            {"name": "matched", "config": {"sampler": "none", "match_steps": True}},
            {"name": "COLT", "config": {"sampler": "colt"}},
        ],
        "seeds": [0, 1, 2],
        "evaluations": ["knn"],
    },
}
T_OF_TWO = 4.302652729911275  # 97.5 % quantile of Student's t with two degrees of freedom


def run_as_the_page_does(stack: Stack, folder: Path) -> Path:
    """Run the command of the page on `tiny.yaml`, whose experiment there is, and return its raw
    values."""
    page = (REPOSITORY / "docs" / "did-it-help.md").read_text("utf-8")
    (command,) = re.findall(r"^python -m benchmarks.experiments .*$", page, re.MULTILINE)
    words = [str(folder / "tiny.yaml") if word.endswith(".yaml") else word for word in command.split()[1:]]
    env = clean_environment(COLT_URL=stack.url) | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'client'}"}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[0]


def test_its_table_is_that_of_its_raw_values(start_stack: StartStack, tmp_path: Path) -> None:
    stack = start_stack("embedded", workers=0)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(PROTOCOL))
    protocol = Protocol.read(tmp_path / "tiny.yaml")
    with Client(str(stack.client.base_url)) as client:
        with forked_worker(stack):
            run(client, protocol, tmp_path / "out", seeds=[0, 1])
            values, tables = run(client, protocol, tmp_path / "out")
            with writing() as session:  # a forked worker sends no heartbeat, which the command asks for
                workers.beat(session, "forking", FORGET_WORKERS_AFTER, own_devices())
            again = run_as_the_page_does(stack, tmp_path)
        (found,) = client.experiments.list()
        experiment = found.info.model_dump()
        results = found.results().model_dump()
        assert again.read_text() == values.read_text()  # and nothing was submitted
        assert len(list(client.experiments.list())) == 1
    assert (experiment["status"], experiment["finished"], experiment["total"]) == ("succeeded", 6, 6)
    assert results["missing"] == []

    raw: dict[tuple[str, str], list[float]] = {}
    with values.open() as file:
        for line in csv.DictReader(file):
            assert line["evaluation"] == "knn" and line["dataset"] == "d"
            key = (line["arm"], line["metric"])
            assert int(line["seed"]) == len(raw.setdefault(key, []))  # in order of the seeds
            raw[key].append(float(line["value"]))
    rows = {(row["arm"], row["metric"]): row for row in results["rows"]}
    metrics = ["all", "many", "medium", "few", "std", *(f"class/{digit}" for digit in range(10))]
    assert rows.keys() == raw.keys() == set(product(("matched", "COLT"), metrics))
    for key, found in raw.items():
        mean = sum(found) / 3
        assert rows[key]["n"] == 3
        assert rows[key]["mean"] == pytest.approx(mean)
        assert rows[key]["sd"] == pytest.approx(math.sqrt(sum((value - mean) ** 2 for value in found) / 2), abs=1e-12)
    for metric in metrics:
        row = rows["COLT", metric]
        differences = [a - b for a, b in zip(raw["COLT", metric], raw["matched", metric], strict=True)]
        mean = sum(differences) / 3
        assert row["pairs"] == 3 and row["difference"] == pytest.approx(mean, abs=1e-12)
        sd = math.sqrt(sum((value - mean) ** 2 for value in differences) / 2)
        if sd < 1e-12:
            assert row["interval"] is None and "equal" in row["no_interval"]
            continue
        low, high = mean - T_OF_TWO * sd / math.sqrt(3), mean + T_OF_TWO * sd / math.sqrt(3)
        assert row["interval"] == pytest.approx([low, high])
        assert row["verdict"] == ("higher" if low > 0 else "lower" if high < 0 else "no clear difference")
    assert len({tuple(found) for found in raw.values()}) > 10  # runs do differ by seed and arm

    text = tables.read_text()
    few = rows["COLT", "few"]
    assert f"| COLT | Few | 3 | {100 * few['difference']:+.2f} | " in text

    # Values of several services meet in one file, whose tables are those of the product.
    again, lines = tmp_path / "merged.csv", read(values)
    write(again, [line for line in lines if line.seed != "1"])
    write(again, [line for line in lines if line.seed != "0"])
    assert sorted(map(str, read(again))) == sorted(map(str, lines))
    merged = markdown(read(again), "matched", "knn")
    assert f"| COLT | 3 | {100 * rows['COLT', 'all']['mean']:.2f} | " in merged
    low, high = few["interval"]
    assert f"| {100 * few['difference']:+.2f} | {100 * low:+.2f} to {100 * high:+.2f} | {few['verdict']} |" in merged
    with pytest.raises(ValueError, match=r"no value is of 'none', but of matched, COLT"):
        markdown(read(again), "none", "knn")
