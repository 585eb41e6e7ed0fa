"""Results of experiments, beside numbers worked by hand."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi.testclient import TestClient

from store.database import writing
from store.models import Checkpoint, Evaluation, Job
from tests.support.problems import pointers
from tests.support.results import Rows
from tests.unit.api.test_experiments import ARMS, body, submitted

API = "/api/v1"


class Made:
    """An experiment whose runs end as a test says."""

    def __init__(self, client: TestClient, location: str) -> None:
        self.client, self.location = client, location

    def end(self, arm: str, seed: int, accuracies: Sequence[float | None], steps: int = 180, **probe: Any) -> str:
        """The run succeeds; each of the three classes is a group of its own."""
        (run,) = (r for r in self.client.get(self.location).json()["jobs"] if (r["arm"], r["seed"]) == (arm, seed))
        groups = dict(zip(("many", "medium", "few"), accuracies, strict=True))
        present = [value for value in accuracies if value is not None]
        mean = sum(present) / len(present)
        spread = (sum((value - mean) ** 2 for value in present) / 3) ** 0.5 if len(present) == 3 else None
        with writing() as session:
            job = session.get_one(Job, run["job_id"])
            job.status, job.steps, job.step = "succeeded", steps, steps  # type: ignore[assignment]
            at = Checkpoint(job_id=job.id, epoch=job.epochs, step=steps, artifact="a", bytes=1, sha256="0")
            session.add(at)
            session.flush()
            values = {
                "config": {"kind": "linear"},
                "epoch": job.epochs,
                "accuracy": 0.0,  # over all test images, which is not the mean over classes
                "balanced_accuracy": mean,
                "per_class_accuracy": list(accuracies),
                "group_accuracy": groups,
                "group_std": spread,
            } | probe
            session.add(Evaluation(job_id=job.id, checkpoint_id=at.id, kind="linear", status="succeeded", **values))
        return str(run["job_id"])

    def results(self, **query: Any) -> Any:
        answer = self.client.get(f"{self.location}/results", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json() if query.get("format", "json") == "json" else answer.text

    def row(self, arm: str, metric: str, **query: Any) -> dict[str, Any]:
        (found,) = (row for row in self.results(**query)["rows"] if (row["arm"], row["metric"]) == (arm, metric))
        return dict(found)


@pytest.fixture
def made(client: TestClient, rows: Rows) -> Made:
    data = {"dataset_ids": [rows.dataset(digests=True).id], "ood_pool_id": rows.pool(digests=True, first=100).id}
    wanted = body(rows, **data, seeds=[0, 1, 2], arms=[*ARMS, {"name": "random", "config": {"sampler": "random"}}])
    return Made(client, submitted(client, wanted))


MATCHED = [(0.9, 0.6, 0.3), (0.9, 0.6, 0.3), (0.8, 0.5, 0.2)]
COLT = [(0.9, 0.6, 0.36), (0.9, 0.6, 0.42), (0.8, 0.5, 0.38)]


def end_all(made: Made) -> None:
    for seed in range(3):
        made.end("matched", seed, MATCHED[seed])
        made.end("COLT", seed, COLT[seed])


def test_rows_by_hand(made: Made) -> None:
    end_all(made)
    # Few differs by 0.06, 0.12, 0.18: mean 0.12, sd 0.06, half width 4.302653 * 0.06 / sqrt(3).
    few = made.row("COLT", "few")
    assert (few["n"], few["pairs"], few["verdict"], few["no_interval"]) == (3, 3, "no clear difference", None)
    assert few["mean"] == pytest.approx((0.36 + 0.42 + 0.38) / 3)
    # Deviations -8/300, 10/300, -2/300: sum of squares 168/90000, by 2, root.
    assert few["sd"] == pytest.approx((168 / 90000 / 2) ** 0.5)
    assert few["difference"] == pytest.approx(0.12)
    assert few["interval"] == pytest.approx([0.12 - 0.1490483, 0.12 + 0.1490483], abs=1e-6)
    # Each pair differs in the third class alone, so All differs by a third of that.
    everything = made.row("COLT", "all")
    assert everything["difference"] == pytest.approx(0.04)
    assert everything["interval"] == pytest.approx([0.04 - 0.0496828, 0.04 + 0.0496828], abs=1e-6)
    many = made.row("COLT", "many")
    assert (many["difference"], many["interval"], many["verdict"]) == (0, None, "no clear difference")
    assert many["no_interval"] == "all 3 pairs are equal: no interval"
    assert made.row("COLT", "class/owl") == few | {"metric": "class/owl"}
    # Std of a run with 0.9, 0.6, 0.3 is 0.3 * sqrt(2/3); all three runs have it. The groups' means
    # over the runs have it too here, but not those of COLT: 0.8667, 0.5667, 0.3867.
    std = made.row("matched", "std")
    assert std["mean"] == pytest.approx(0.3 * (2 / 3) ** 0.5) and std["sd"] == pytest.approx(0, abs=1e-12)
    of_runs = [(sum((a - sum(run) / 3) ** 2 for a in run) / 3) ** 0.5 for run in COLT]
    assert made.row("COLT", "std")["mean"] == pytest.approx(sum(of_runs) / 3)
    own = made.row("matched", "all")
    assert own["n"] == 3 and own["mean"] == pytest.approx((0.6 + 0.6 + 0.5) / 3)
    assert [own[name] for name in ("pairs", "difference", "interval", "no_interval", "verdict")] == [None] * 5
    other = made.row("matched", "few", baseline="COLT")
    assert other["difference"] == pytest.approx(-0.12) and other["verdict"] == "no clear difference"


def test_what_is_not_there_is_named_and_in_no_pair(made: Made) -> None:
    client = made.client
    for seed in range(3):
        made.end("matched", seed, MATCHED[seed])
    made.end("COLT", 0, COLT[0])
    gone, failed, queued = (run for run in client.get(made.location).json()["jobs"] if run["arm"] == "random")
    assert client.delete(f"{API}/jobs/{gone['job_id']}").status_code == 204
    with writing() as session:
        job = session.get_one(Job, failed["job_id"])
        job.status, job.error = "failed", "out of luck"  # type: ignore[assignment]
    earlier = made.end("COLT", 1, COLT[1], epoch=3)  # of a checkpoint before the last
    others = made.end("COLT", 2, COLT[2], config={"kind": "linear", "protocol": "sgd"})
    found = made.results()
    assert [(entry["arm"], entry["seed"], entry["job_id"], entry["why"]) for entry in found["missing"]] == [
        ("COLT", 1, earlier, "the job has no evaluation 'linear' with default settings of its last checkpoint"),
        ("COLT", 2, others, "the job has no evaluation 'linear' with default settings of its last checkpoint"),
        ("random", 0, None, "the job was deleted"),
        ("random", 1, failed["job_id"], "the job failed: out of luck"),
        ("random", 2, queued["job_id"], "the job is queued"),
    ]
    one = made.row("COLT", "few")
    assert (one["n"], one["sd"], one["pairs"], one["interval"], one["verdict"]) == (1, None, 1, None, "too few pairs")
    assert one["no_interval"] == "one run each: no interval"
    assert one["difference"] == pytest.approx(0.06)
    none = made.row("random", "few")
    assert (none["n"], none["mean"], none["pairs"], none["difference"]) == (0, None, 0, None)
    assert {(entry["arm"], entry["seed"]) for entry in found["pairs"]} == {
        *(("matched", seed) for seed in range(3)),
        ("COLT", 0),
    }


def test_a_value_that_one_run_lacks_is_named(made: Made) -> None:
    for seed in range(3):
        made.end("matched", seed, MATCHED[seed])
        made.end("COLT", seed, (0.9, None if seed == 1 else 0.6, 0.3))
    (missing,) = (entry for entry in made.results()["missing"] if entry["metrics"])
    assert (missing["arm"], missing["seed"], missing["metrics"]) == ("COLT", 1, ["class/dog", "medium", "std"])
    assert (made.row("COLT", "medium")["n"], made.row("COLT", "medium")["pairs"]) == (2, 2)
    assert made.row("COLT", "few")["pairs"] == 3


def test_unequal_steps_are_a_warning_and_no_verdict(made: Made) -> None:
    end_all(made)
    for seed in range(3):
        made.end("random", seed, COLT[seed], steps=200 if seed else 180)
    found = made.results()
    (warning,) = found["warnings"]
    assert (warning["code"], warning["count"], warning["examples"]) == ("different_steps", 2, ["random"])
    assert "'random' take 200 optimiser steps, those of 'matched' 180" in warning["detail"]
    row = made.row("random", "few")
    assert row["verdict"] is None and row["difference"] == pytest.approx(0.12) and row["interval"] is not None
    assert made.row("COLT", "few")["verdict"] == "no clear difference"


def test_unequal_data_are_a_warning_and_no_verdict(client: TestClient, rows: Rows) -> None:
    balanced = rows.dataset("balanced")
    arms = [*ARMS, {**ARMS[0], "name": "balanced", "train_on": [balanced.id]}]
    made = Made(client, submitted(client, body(rows, arms=arms, seeds=[0, 1, 2])))
    for seed in range(3):
        for arm in ("matched", "COLT", "balanced"):
            made.end(arm, seed, (0.1 * seed, 0.5, 0.9 if arm == "balanced" else 0.5))
    (warning,) = (found for found in made.results()["warnings"] if found["code"] == "different_datasets")
    assert warning["detail"].startswith("'balanced' and 'matched': The jobs train on different data sets")
    assert made.row("balanced", "few")["verdict"] is None
    assert made.row("balanced", "few")["difference"] == pytest.approx(0.4)


def test_warnings_of_the_runs_are_passed_on(made: Made) -> None:
    end_all(made)
    job_id = made.results()["pairs"][0]["job_id"]
    with writing() as session:
        session.get_one(Job, job_id).warnings = [
            {"code": "collapse", "detail": "All alike.", "count": 1, "examples": []}
        ]
    (warning,) = made.results()["warnings"]
    assert (warning["code"], warning["detail"]) == ("collapse", "1 of 3 runs of 'matched': All alike.")
    assert warning["examples"] == [job_id]


def test_tables_say_the_same(made: Made) -> None:
    end_all(made)
    found = made.results()
    lines = list(csv.DictReader(io.StringIO(made.results(format="csv"))))
    assert len(lines) == len(found["rows"]) == 3 * 8
    for line, row in zip(lines, found["rows"], strict=True):
        low, high = row["interval"] or ("", "")
        texts = [row[name] for name in ("arm", "metric", "n", "mean", "sd", "pairs", "difference")]
        expected = [*texts, low, high, row["no_interval"], row["verdict"]]
        assert list(line.values()) == ["" if value is None else str(value) for value in expected]
    assert len(made.results(format="csv", classes=False).splitlines()) == 1 + 3 * 5

    text = made.results(format="markdown")
    assert "| matched | 3 | 56.67 ± 5.77 | 86.67 ± 5.77 | 56.67 ± 5.77 | 26.67 ± 5.77 | 24.49 ± 0.00 |" in text
    assert "| COLT | Few | 3 | +12.00 | [-2.90, +26.90] | no clear difference |" in text
    assert "| COLT | Many | 3 | +0.00 | all 3 pairs are equal: no interval | no clear difference |" in text
    assert "- Missing: 'random', data set" in text
    assert "class" not in text and "class owl" in made.results(format="markdown", classes=True)
    latex = made.results(format="latex")
    assert r"matched & 3 & 56.67 $\pm$ 5.77 &" in latex and r"95 \% interval" in latex
    assert r"COLT & Few & 3 & +12.00 & [-2.90, +26.90] & no clear difference \\" in latex
    assert "% Missing: 'random'" in latex


def test_names_do_not_break_the_tables(client: TestClient, rows: Rows) -> None:
    arms = [{**ARMS[0], "name": "[a|b]_{1}%"}, {**ARMS[1], "name": "c$ & \\d"}]
    made = Made(client, submitted(client, body(rows, arms=arms, seeds=[0])))
    made.end("[a|b]_{1}%", 0, MATCHED[0])
    text = made.results(format="markdown")
    assert r"| \[a\|b]\_{1}% | 1 |" in text
    latex = made.results(format="latex")
    assert r"{[}a|b]\_\{1\}\% & 1 &" in latex and r"c\$ \& \textbackslash{}d & 0 & -- &" in latex


def test_what_is_too_long_leaves_classes_out(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    end_all(made)
    from api.experiments import results

    monkeypatch.setattr(results, "MOST_BYTES", 5000)
    found = made.results()
    assert {row["metric"] for row in found["rows"]} == {"all", "many", "medium", "few", "std"}
    (warning,) = found["warnings"]
    assert (warning["code"], warning["count"], warning["examples"]) == (
        "classes_left_out",
        3,
        ["class/cat", "class/dog", "class/owl"],
    )
    assert len(made.results(format="csv").splitlines()) == 1 + 3 * 8


def test_queries_are_checked(made: Made) -> None:
    results = f"{made.location}/results"
    unknown = made.client.get(results, params={"baseline": "colt"})
    assert pointers(unknown) == ["?baseline"]
    assert "The arms are 'matched', 'COLT'" in unknown.text
    assert pointers(made.client.get(results, params={"evaluation": "none"})) == ["?evaluation"]
    assert pointers(made.client.get(results, params={"format": "pdf"})) == ["?format"]
    assert made.results(evaluation="knn")["pairs"] == []
