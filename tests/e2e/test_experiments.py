"""Experiments as a reader has them: a form filled from a job, a grid of runs, and differences in
the API's numbers and words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.axe import violations
from tests.support.processes import wait_until
from tests.support.stack import Stack
from tests.support.watch import LONG

API = "/api/v1"
TINY = {"preset": "digits", "width": 4, "epochs": 2, "sample_budget": 40, "num_clusters": 4, "kmeans_restarts": 1}
ARMS = [
    {"name": "matched steps", "config": {"sampler": "none", "match_steps": True}},
    {"name": "COLT", "config": {"sampler": "colt"}},
]
METRICS = ["all", "many", "medium", "few", "std"]


def register(service: Stack, noun: str, sample: str, name: str | None = None, **more: Any) -> str:
    body = {"name": name or sample, "source": {"kind": "sample", "name": sample}, **more}
    address = service.client.post(f"{API}/{noun}", json=body).headers["location"]
    wait_until(lambda: service.client.get(address).json()["status"] == "ready", 60, f"{body['name']} is ready")
    return str(service.client.get(address).json()["id"])


@pytest.fixture(scope="module")
def experiment(service: Stack) -> dict[str, Any]:
    """A finished one: two arms, two seeds."""
    wanted = {
        "name": "does it help",
        "dataset_ids": [register(service, "datasets", "digits")],
        "ood_pool_id": register(service, "ood-pools", "glyphs-and-patches"),
        "config": TINY,
        "arms": ARMS,
        "seeds": [0, 1],
        "evaluations": ["linear", "knn"],
        "protocol": "The row All counts.\n",
    }
    answer = service.client.post(f"{API}/experiments", json=wanted)
    assert answer.status_code == 202, answer.text
    address = answer.headers["location"]
    wait_until(lambda: service.client.get(address).json()["status"] == "succeeded", 150, "the experiment is over")
    found: dict[str, Any] = service.client.get(address).json()
    return found


def results(service: Stack, experiment: dict[str, Any], **query: str) -> dict[str, Any]:
    found: dict[str, Any] = service.client.get(f"{API}/experiments/{experiment['id']}/results", params=query).json()
    return found


def points(value: float) -> str:
    """A difference as the page writes it."""
    size = f"{abs(100 * value):.1f}"
    return size if float(size) == 0 else f"{'−' if value < 0 else '+'}{size}"


def test_the_grid_links_every_job(page: Page, experiment: dict[str, Any]) -> None:
    page.goto("/experiments")
    row = page.locator(f"tr[data-experiment='{experiment['id']}']")
    expect(row).to_contain_text("4 of 4")
    row.get_by_role("link").click()
    cells = page.locator("#runs [data-run]")
    expect(cells).to_have_count(4)
    shown = cells.evaluate_all("cells => cells.map(cell => cell.dataset.run)")
    runs = {(run["arm"], run["seed"]): run["job_id"] for run in experiment["jobs"]}
    assert shown == [runs[arm["name"], seed] for arm in ARMS for seed in (0, 1)]
    expect(page.get_by_text("The row All counts.")).to_be_visible()
    page.get_by_role("link", name="COLT, seed 1: succeeded").click()
    assert page.url.endswith(f"/jobs/{runs['COLT', 1]}")


def test_differences_are_the_apis_numbers_and_words(page: Page, service: Stack, experiment: dict[str, Any]) -> None:
    page.goto(f"/experiments/{experiment['id']}")
    for kind, baseline, arm in (("linear", "matched steps", "COLT"), ("knn", "COLT", "matched steps")):
        page.get_by_label("Evaluation", exact=True).select_option(kind)
        page.get_by_label("Baseline", exact=True).select_option(baseline)
        found = results(service, experiment, evaluation=kind, baseline=baseline)
        rows = {row["metric"]: row for row in found["rows"] if row["arm"] == arm}
        line = page.locator(f"#results tr[data-arm='{arm}']")
        expect(line).to_contain_text("2 runs, 2 pairs")
        for metric in METRICS:
            row, cell = rows[metric], line.locator(f"td[data-metric={metric}]")
            assert row["interval"] is not None, "two pairs that are equal: choose other settings"
            expect(cell).to_contain_text(points(row["difference"]))
            low, high = row["interval"]
            expect(cell).to_contain_text(f"[{points(low)} to {points(high)}]")
            expect(cell).to_contain_text("too few pairs")
        # The dots are where the numbers are: groups, then classes from head to tail.
        drawn = page.locator("#results [data-place]").evaluate_all(
            "dots => dots.map(({dataset: d}) => [d.place, +d.value])"
        )
        assert drawn == [[metric, rows[metric]["difference"]] for metric in METRICS]
        dataset = service.client.get(f"{API}/datasets/{experiment['dataset_ids'][0]}").json()
        counts = dataset["class_counts"]
        order = sorted(range(len(counts)), key=lambda index: (-counts[index], index))
        dots = page.locator("#classes [data-place]").evaluate_all("dots => dots.map(({dataset: d}) => +d.value)")
        assert dots == [rows[f"class/{dataset['class_names'][index]}"]["difference"] for index in order]
    # The address has the choice.
    page.reload()
    expect(page.get_by_label("Baseline", exact=True)).to_have_value("COLT")
    expect(page.get_by_label("Evaluation", exact=True)).to_have_value("knn")
    assert "best" not in page.locator("main").inner_text().lower()


def test_results_leave_as_tables(page: Page, service: Stack, experiment: dict[str, Any]) -> None:
    page.goto(f"/experiments/{experiment['id']}?evaluation=knn")
    for name, form in (("CSV", "csv"), ("Markdown", "markdown"), ("LaTeX", "latex"), ("JSON", "json")):
        with page.expect_download() as saved:
            page.locator("#results").get_by_role("link", name=name, exact=True).click()
        address = f"{API}/experiments/{experiment['id']}/results"
        wanted = service.client.get(address, params={"evaluation": "knn", "format": form})
        assert Path(saved.value.path()).read_bytes() == wanted.content


def test_a_job_gets_baselines_and_seeds_and_all_is_cancelled_and_deleted(
    page: Page, service: Stack, experiment: dict[str, Any]
) -> None:
    job_id = next(run["job_id"] for run in experiment["jobs"] if run["arm"] == "COLT")
    page.goto(f"/jobs/{job_id}")
    page.get_by_role("link", name="With baselines and seeds 0, 1, 2").click()
    expect(page.get_by_label("Seeds")).to_have_value("0, 1, 2")
    expect(page.get_by_label("Epochs", exact=True)).to_have_value("2")
    arms = page.locator("[data-estimate] tr[data-arm]")
    expect(arms).to_have_count(4)
    expect(arms.first).to_contain_text("SimCLR, matched steps, baseline")
    expect(page.locator("[data-fact=Jobs]")).to_have_text("12")

    # What is wrong is said where it was typed, before and after the submission.
    settings = page.get_by_label("Configuration of all arms as JSON")
    filled = settings.input_value()
    page.get_by_label("Epochs", exact=True).fill("3000000")
    expect(page.locator("[data-pointer='/config/epochs']").first).to_be_visible()
    page.get_by_label("Epochs", exact=True).fill("200")
    page.get_by_label("Seeds").fill("0, one")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("[data-pointer='/seeds']")).to_contain_text("'one' is not a whole number")
    assert settings.input_value() == filled
    page.get_by_label("Seeds").fill("0")
    page.get_by_role("button", name="Submit").click()

    expect(page.locator("h1 ~ [data-status=running]")).to_be_visible(timeout=LONG)
    made = page.url.rsplit("/", 1)[1]
    own = service.client.get(f"{API}/experiments/{made}").json()
    expect(page.locator("#runs [data-run]")).to_have_count(4)
    expect(page.locator("#runs")).to_contain_text(re.compile(r"\d+ (s|min \d\d s|h \d\d min) left"), timeout=LONG)
    config = next(arm["config"] for arm in own["arms"] if arm["config"]["sampler"] == "colt")
    assert {name: config[name] for name in TINY} == {**TINY, "epochs": 200}

    page.get_by_text("Add seeds").first.click()
    page.get_by_role("form", name="Add seeds").get_by_label("Seeds").fill("0")
    page.get_by_role("button", name="Add seeds").click()
    expect(page.locator("#runs [data-pointer='/seeds']")).to_contain_text("seed 0 is there already")
    page.get_by_role("form", name="Add seeds").get_by_label("Seeds").fill("4")
    page.get_by_role("button", name="Add seeds").click()
    expect(page.locator("#runs [data-run]")).to_have_count(8)

    page.get_by_role("button", name="Cancel").first.click()
    expect(page.locator("h1 ~ [data-status=cancelled]")).to_be_visible(timeout=LONG)
    missing = page.locator("[data-missing] li")
    expect(missing).to_have_count(8)
    expect(missing.first).to_contain_text("SimCLR, matched steps, digits, seed 0: the job is cancelled")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("h1 ~ [data-status=running], h1 ~ [data-status=queued]")).to_be_visible()
    page.get_by_role("button", name="Cancel").first.click()
    expect(page.locator("h1 ~ [data-status=cancelled]")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("dialog").get_by_label("Delete its jobs too").check()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(f"tr[data-experiment='{experiment['id']}']")).to_be_visible()
    expect(page.locator("tr[data-experiment]")).to_have_count(1)
    listed = {job["id"] for job in service.client.get(f"{API}/jobs").json()["items"]}
    assert listed == {run["job_id"] for run in experiment["jobs"]}


def test_a_baseline_lies_over_the_plot_of_a_job(page: Page, service: Stack, experiment: dict[str, Any]) -> None:
    runs = {(run["arm"], run["seed"]): run["job_id"] for run in experiment["jobs"]}
    mine, baseline = runs["COLT", 0], runs["matched steps", 0]
    page.goto(f"/jobs/{mine}")
    page.locator("#accuracy").get_by_label("Baseline").select_option(baseline)
    marks = page.locator("#accuracy line[data-mark]")
    expect(marks).to_have_count(10)
    probes = service.client.get(f"{API}/jobs/{baseline}/evaluations").json()["items"]
    accuracy = next(probe for probe in probes if probe["kind"] == "linear")["per_class_accuracy"]
    drawn = dict(marks.evaluate_all("marks => marks.map(({dataset: d}) => [+d.mark, +d.value])"))
    assert drawn == pytest.approx(dict(enumerate(accuracy)))
    compared = service.client.get(
        f"{API}/jobs/{mine}/comparison", params={"baseline": baseline, "evaluation": "linear"}
    ).json()["settings"][1]
    against = page.locator("#against")
    expect(against.locator("[data-fact='All, difference']")).to_have_text(points(compared["rows"][0]["difference"]))
    expect(against.locator("[data-verdict]")).to_contain_text("one run each: no interval")
    expect(against).to_contain_text("a rare class that is easy by itself looks good")
    page.reload()
    expect(marks).to_have_count(10)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible_and_no_wider_than_a_phone(
    page: Page, experiment: dict[str, Any], scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        for path, ready in (
            ("/experiments", "tr[data-experiment]"),
            ("/experiments/new", "[data-estimate]"),
            (f"/experiments/{experiment['id']}", "#classes [data-place]"),
        ):
            page.goto(path)
            expect(page.locator(ready).first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert violations(page) == [], path


def test_the_form_takes_no_data_by_itself_and_offers_controls_that_fit(page: Page, service: Stack) -> None:
    tail = {"imbalance_ratio": 5, "max_per_class": 30}
    register(service, "ood-pools", "glyphs-and-patches", "other images")
    ids = [register(service, "datasets", "digits", "whole")]
    for profile in ("exp", "balanced"):
        ids.append(register(service, "datasets", "digits", profile, long_tail={"profile": profile, **tail}))
    page.goto("/experiments/new")
    data, controls = page.get_by_role("group", name="Data sets"), page.get_by_role("group", name="Balanced data")
    expect(data.get_by_label("whole (")).to_be_visible()
    expect(data.get_by_role("checkbox", checked=True)).to_have_count(0)
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("p[data-pointer='/dataset_ids']")).to_have_text("Choose at least one.")

    data.get_by_label("balanced (").check()
    expect(controls).to_contain_text("No ready data set has equal classes and as many images as balanced")
    data.get_by_label("exp (").check()
    data.get_by_label("balanced (").uncheck()
    controls.get_by_label("balanced").check()
    expect(controls.get_by_role("checkbox")).to_have_count(1)
    page.get_by_text("Further settings").click()
    page.get_by_label("Configuration of all arms as JSON").fill(json.dumps(TINY | {"batch_size": 20}))
    arms = page.locator("[data-estimate] tr[data-arm]")
    expect(arms.last).to_contain_text("SimCLR, balanced data")
    # As many steps as the baseline, which trains on the cut.
    steps = [row.split("\t")[-1] for row in arms.all_inner_texts()]
    assert steps[0] == steps[4], steps
    for id in ids:
        service.client.delete(f"{API}/datasets/{id}")
