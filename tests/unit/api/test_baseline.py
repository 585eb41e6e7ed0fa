"""Differences from a baseline over HTTP, beside numbers worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http.pages import MOST_BYTES
from colt_core.config import PretrainConfig
from store.database import writing
from store.models import Dataset, Evaluation, Job
from tests.support.problems import pointers, problem
from tests.support.results import Rows

COMPARE = "/api/v1/compare"


@pytest.fixture
def dataset(rows: Rows) -> Dataset:
    return rows.dataset()


def run(rows: Rows, dataset: Dataset, seed: int, name: str = "a run", **settings: Any) -> Job:
    wanted = {"preset": "digits", "sampler": "none", "batch_size": 4, "seed": seed} | settings
    return rows.job(dataset, config=PretrainConfig.resolve(wanted).model_dump(mode="json"), name=name)


def measure(
    rows: Rows, job: Job, of_classes: list[float | None], steps: int = 9, kind: str = "linear", **config: Any
) -> None:
    """An evaluation with one class in each group: Many, Medium and Few are those classes."""
    checkpoint = rows.checkpoint(job, steps)
    known = [value for value in of_classes if value is not None]
    with writing() as session:
        session.add(
            Evaluation(
                job_id=job.id,
                checkpoint_id=checkpoint.id,
                kind=kind,
                config={"kind": kind, **config},
                status="succeeded",
                epoch=9,
                accuracy=0.1,
                balanced_accuracy=sum(known) / len(known),
                per_class_accuracy=of_classes,
                group_accuracy=dict(zip(("many", "medium", "few"), of_classes, strict=False)),
                group_std=None if None in of_classes else max(known) - min(known),
            )
        )


def compared(client: TestClient, jobs: list[Job], **more: str) -> dict[str, Any]:
    """The answer with the first job as the baseline."""
    asked = {"job_id": [job.id for job in jobs], "baseline": jobs[0].id, **more}
    answer = client.get(COMPARE, params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def three_seeds(rows: Rows, dataset: Dataset) -> tuple[list[Job], list[Job]]:
    plain = [run(rows, dataset, seed) for seed in range(3)]
    warm = [run(rows, dataset, seed, temperature=0.5) for seed in range(3)]
    for job, values in zip(plain, ([0.5, 0.5, 0.5], [0.6, 0.5, 0.4], [0.7, 0.5, 0.3]), strict=True):
        measure(rows, job, list(values))
    # Less the baseline's: Many 0.02, 0.04, 0.06; Medium 0.038, 0.04, 0.042; Few -0.01 in each.
    for job, values in zip(warm, ([0.52, 0.538, 0.49], [0.64, 0.54, 0.39], [0.76, 0.542, 0.29]), strict=True):
        measure(rows, job, list(values))
    return plain, warm


def test_settings_are_compared_over_their_seeds(client: TestClient, rows: Rows, dataset: Dataset) -> None:
    plain, warm = three_seeds(rows, dataset)
    found = compared(client, [plain[1], warm[2], plain[0], warm[0], plain[2], warm[1]])
    assert found["warnings"] == []
    against = found["against"]
    assert (against["baseline"], against["evaluation"]) == (plain[1].id, "linear")
    base, other = against["settings"]
    assert base["job_ids"] == [plain[1].id, plain[0].id, plain[2].id]
    assert other["job_ids"] == [warm[2].id, warm[0].id, warm[1].id]
    assert (other["differs_in"], other["no_verdict"], other["missing"], other["unpaired"]) == (
        ["temperature"],
        None,
        [],
        [],
    )

    own = {row["metric"]: row for row in base["rows"]}
    assert (own["many"]["mean"], own["many"]["sd"], own["many"]["n"]) == (pytest.approx(0.6), pytest.approx(0.1), 3)
    assert {row["difference"] for row in base["rows"]} == {row["verdict"] for row in base["rows"]} == {None}
    # Std is computed per run: 0, 0.2 and 0.4.
    assert (own["std"]["mean"], own["std"]["sd"]) == (pytest.approx(0.2), pytest.approx(0.2))

    rows_of = {row["metric"]: row for row in other["rows"]}
    assert [*rows_of] == ["all", "many", "medium", "few", "std"]
    many, medium, few = (rows_of[name] for name in ("many", "medium", "few"))
    # sd 0.02, t(0.975, 2) = 4.302653: half width 4.302653 * 0.02 / sqrt(3) = 0.0496828.
    assert (many["n"], many["difference"], many["verdict"]) == (3, pytest.approx(0.04), "no clear difference")
    assert many["interval"] == pytest.approx([-0.0096828, 0.0896828], abs=1e-6)
    assert (many["mean"], many["sd"]) == (pytest.approx(0.64), pytest.approx(0.12))
    # sd 0.002: a tenth of that half width.
    assert medium["interval"] == pytest.approx([0.03503172, 0.04496828], abs=1e-7)
    assert (medium["difference"], medium["verdict"]) == (pytest.approx(0.04), "higher")
    # Equal differences have no interval.
    assert (few["difference"], few["interval"], few["verdict"]) == (pytest.approx(-0.01), None, None)

    by_class = {row["metric"]: row for row in other["classes"]}
    assert [*by_class] == ["class/cat", "class/dog", "class/owl"]
    assert {**by_class["class/dog"], "metric": "medium"} == medium


def test_lower_is_said_as_well(client: TestClient, rows: Rows, dataset: Dataset) -> None:
    plain, warm = three_seeds(rows, dataset)
    found = compared(client, [*warm, *plain])["against"]["settings"][1]["rows"]
    assert {row["metric"]: row["verdict"] for row in found}["medium"] == "lower"


def test_one_run_each_has_no_interval(client: TestClient, rows: Rows, dataset: Dataset) -> None:
    """However large the lead, and of whichever seeds."""
    plain = run(rows, dataset, 0)
    measure(rows, plain, [0.5, 0.5, None])
    for seed in (0, 5):
        warm = run(rows, dataset, seed, temperature=0.5)
        measure(rows, warm, [0.9, 0.5, 0.5])
        found = compared(client, [plain, warm])["against"]["settings"][1]
        many, medium, few, std = found["rows"][1:]
        assert (many["n"], many["sd"], many["interval"]) == (1, None, None)
        assert many["difference"] == pytest.approx(0.4)
        assert many["verdict"] == medium["verdict"] == "one run each: no interval"
        assert medium["difference"] == 0
        # The baseline has no number for Few, so there is no pair.
        assert (few["n"], few["mean"], few["difference"], few["verdict"]) == (0, 0.5, None, "too few pairs")
        assert (std["n"], std["difference"]) == (0, None)


def test_two_pairs_have_an_interval_and_no_verdict(client: TestClient, rows: Rows, dataset: Dataset) -> None:
    plain, warm = three_seeds(rows, dataset)
    found = compared(client, [*plain, *warm[:2]])["against"]["settings"][1]
    many = found["rows"][1]
    # Differences 0.02, 0.04: mean 0.03, sd 0.01 * sqrt(2).
    # t(0.975, 1) = 12.706205, so the half width is 0.12706205.
    assert (many["n"], many["verdict"]) == (2, "too few pairs")
    assert many["interval"] == pytest.approx([-0.09706205, 0.15706205], abs=1e-7)
    assert found["unpaired"] == [plain[2].id]


def test_runs_without_a_result_and_repeated_ones_are_named(client: TestClient, rows: Rows, dataset: Dataset) -> None:
    plain, warm = three_seeds(rows, dataset)
    failed = run(rows, dataset, 3, "failed", temperature=0.5)
    again = run(rows, dataset, 2, "again", temperature=0.5)
    measure(rows, again, [0.0, 0.0, 0.0])
    found = compared(client, [*plain, *warm, failed, again])
    other = found["against"]["settings"][1]
    assert (other["missing"], other["unpaired"]) == ([failed.id], [again.id])
    assert other["rows"][1]["difference"] == pytest.approx(0.04)
    told = {warning["code"]: (warning["count"], warning["examples"]) for warning in found["warnings"]}
    assert told == {"missing_results": (1, ["failed"]), "repeated_runs": (1, ["again"])}


@pytest.mark.parametrize(
    ("settings", "steps", "probe", "code", "why"),
    [
        ({"temperature": 0.5, "num_clusters": 4}, 9, {}, "several_settings", "temperature, num_clusters"),
        ({"temperature": 0.5}, 12, {}, "different_steps", "12 optimiser steps, the baseline 9"),
        ({"temperature": 0.5}, 9, {"protocol": "sgd"}, "different_probes", "protocol"),
    ],
)
def test_what_has_other_causes_has_no_verdict(
    client: TestClient,
    rows: Rows,
    dataset: Dataset,
    settings: dict[str, Any],
    steps: int,
    probe: dict[str, Any],
    code: str,
    why: str,
) -> None:
    plain, _ = three_seeds(rows, dataset)
    others = [run(rows, dataset, seed, f"other {seed}", **settings) for seed in range(3)]
    for job, many in zip(others, (0.9, 0.91, 0.93), strict=True):
        measure(rows, job, [many, 0.5, 0.5], steps, **probe)
    found = compared(client, [*plain, *others])
    other = found["against"]["settings"][1]
    assert why in other["no_verdict"]
    assert other["rows"][1]["difference"] == pytest.approx((0.4 + 0.31 + 0.23) / 3)
    assert {row["verdict"] for row in [*other["rows"], *other["classes"]]} == {None}
    told = {warning["code"]: (warning["count"], warning["examples"]) for warning in found["warnings"]}
    assert told == {code: (3, [job.name for job in others])}


def test_a_kind_of_sampler_is_one_setting(client: TestClient, rows: Rows, dataset: Dataset) -> None:
    plain = run(rows, dataset, 0)
    longer = run(rows, dataset, 0, sampler="none", match_steps=True)
    picking = [
        run(rows, dataset, 0, sampler="colt"),
        run(rows, dataset, 0, sampler="random"),
        run(rows, dataset, 0, sampler="random", sample_budget=4),
    ]
    jobs = [plain, longer, *picking]
    settings = compared(client, jobs)["against"]["settings"]
    assert [setting["differs_in"] for setting in settings] == [
        *([], ["match_steps"], ["sampler"], ["sampler"]),
        ["sampler", "sample_budget"],  # which a matched run without picks reads as well
    ]
    # Nothing is measured yet.
    assert compared(client, jobs)["against"]["evaluation"] is None
    assert settings[1]["rows"][0] == {
        **dict.fromkeys(("mean", "sd", "difference", "interval")), "metric": "all", "n": 0, "verdict": "too few pairs",
    }  # fmt: skip


def test_nothing_is_compared_across_data(client: TestClient, rows: Rows, dataset: Dataset) -> None:
    """Another cut of the same images is other data too."""
    cut = rows.dataset("another cut")
    files = {name: {"bytes": 1, "sha256": f"of {name}"} for name in ("images.npy", "labels.npy", "parts.npz")}
    with writing() as session:
        session.get_one(Dataset, dataset.id).files = files
        session.get_one(Dataset, cut.id).files = files | {"parts.npz": {"bytes": 1, "sha256": "of other parts"}}
    jobs = [run(rows, data, 0) for data in (dataset, cut)]
    for job in jobs:
        measure(rows, job, [0.5, 0.5, 0.5])
    found = compared(client, jobs)
    other = found["against"]["settings"][1]
    assert (other["differs_in"], other["rows"], other["classes"]) == (["dataset", "evaluated_on"], [], None)
    assert "data: dataset, evaluated_on" in other["no_verdict"]
    assert {warning["code"] for warning in found["warnings"]} == {"different_datasets", "different_test_images"}


def test_one_job_beside_its_baseline(client: TestClient, rows: Rows, dataset: Dataset) -> None:
    plain, warm = three_seeds(rows, dataset)
    url = f"/api/v1/jobs/{warm[1].id}/comparison"
    found = client.get(url, params={"baseline": plain[1].id}).json()
    assert (found["baseline"], found["evaluation"], found["warnings"]) == (plain[1].id, "linear", [])
    base, other = found["settings"]
    assert (base["job_ids"], other["job_ids"]) == ([plain[1].id], [warm[1].id])
    cat = other["classes"][0]
    assert (cat["metric"], cat["difference"], cat["verdict"]) == (
        "class/cat", pytest.approx(0.04), "one run each: no interval",
    )  # fmt: skip
    alike = client.get(url, params={"baseline": warm[0].id}).json()["settings"][1]
    assert (alike["differs_in"], alike["rows"][0]["verdict"]) == ([], None)
    assert "seed alone" in alike["no_verdict"]
    for baseline in (warm[1].id, "nothing"):
        assert pointers(client.get(url, params={"baseline": baseline})) == ["?baseline"]
    assert pointers(client.get(url)) == ["?baseline"]
    problem(client.get("/api/v1/jobs/nothing/comparison", params={"baseline": plain[0].id}), 404)


def test_the_probe_and_the_baseline_are_checked(client: TestClient, rows: Rows, dataset: Dataset) -> None:
    plain, warm = three_seeds(rows, dataset)
    for job in (plain[0], warm[0]):
        measure(rows, job, [0.25, 0.25, 0.25], kind="knn")
    found = compared(client, [plain[0], warm[0]], evaluation="knn")["against"]
    assert (found["evaluation"], found["settings"][1]["rows"][0]["mean"]) == ("knn", 0.25)
    asked = {"job_id": [plain[0].id, warm[0].id]}
    assert pointers(client.get(COMPARE, params=asked | {"baseline": plain[1].id})) == ["?baseline"]
    assert pointers(client.get(COMPARE, params=asked | {"evaluation": "knn"})) == ["?evaluation"]
    assert pointers(client.get(COMPARE, params=asked | {"baseline": plain[0].id, "evaluation": "x"})) == ["?evaluation"]
    assert client.get(COMPARE, params=asked).json()["against"] is None


def test_ten_jobs_with_very_many_classes_stay_small(client: TestClient, rows: Rows) -> None:
    names = [f"class number {number}" for number in range(10_000)]
    dataset = rows.dataset(class_names=names)
    jobs = [run(rows, dataset, 0, temperature=0.1 + number / 100) for number in range(10)]
    for job in jobs:
        for kind in ("linear", "knn"):
            measure(rows, job, [1 / 3 + number / 1e6 for number in range(10_000)], kind=kind)
    asked = {"job_id": [job.id for job in jobs], "baseline": jobs[0].id}
    answer = client.get(COMPARE, params=asked)
    assert len(answer.content) < MOST_BYTES / 4
    found = answer.json()
    assert [setting["classes"] for setting in found["against"]["settings"]] == [None] * 10
    assert [setting["rows"][0]["n"] for setting in found["against"]["settings"]] == [1] * 10
    assert {row["per_class_accuracy"] for row in found["evaluations"]["linear"]} == {None}
    assert found["evaluations"]["linear"][0]["balanced_accuracy"] is not None
