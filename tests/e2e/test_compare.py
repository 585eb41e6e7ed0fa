"""Jobs side by side, as a reader has them: ticked in the list, and laid out on a page with the
API's numbers."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.axe import violations
from tests.support.processes import wait_until
from tests.support.stack import Stack
from tests.support.watch import LONG

TINY = {"preset": "digits", "sampler": "none", "width": 4, "checkpoint_interval": 1}


def submit(service: Stack, dataset_id: str, name: str, **config: Any) -> str:
    wanted = {"name": name, "dataset_id": dataset_id, "config": TINY | config, "evaluations": ["linear", "knn"]}
    answer = service.client.post("/api/v1/jobs", json=wanted)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def status(service: Stack, job_id: str) -> str:
    found: str = service.client.get(f"/api/v1/jobs/{job_id}").json()["status"]
    return found


@pytest.fixture(scope="module")
def dataset_id(service: Stack) -> str:
    body = {"name": "digits", "source": {"kind": "sample", "name": "digits"}}
    return str(service.client.post("/api/v1/datasets", json=body).json()["id"])


@pytest.fixture(scope="module")
def jobs(service: Stack, dataset_id: str) -> list[str]:
    """Ids of two finished jobs of other seeds and lengths: `short`, then `long`."""
    ready = f"/api/v1/datasets/{dataset_id}"
    wait_until(lambda: service.client.get(ready).json()["status"] == "ready", 60, "the digits are ready")
    ids = [
        submit(service, dataset_id, "short", epochs=1, seed=3),
        submit(service, dataset_id, "long", epochs=2, framework="sdclr"),
    ]
    wait_until(lambda: all(status(service, job_id) == "succeeded" for job_id in ids), 90, "both jobs are over")
    return ids


@pytest.fixture(scope="module")
def comparison(service: Stack, jobs: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = service.client.get("/api/v1/compare", params={"job_id": jobs}).json()
    return found


def address(ids: list[str], **choice: str) -> str:
    return "/compare?" + "&".join([*(f"job_id={job_id}" for job_id in ids), *(f"{k}={v}" for k, v in choice.items())])


def as_written(page: Page, values: list[Any]) -> list[str]:
    """Numbers and texts as a browser writes them."""
    written: list[str] = page.evaluate("values => values.map(String)", values)
    return written


def downloaded(page: Page, button: str) -> Path:
    with page.expect_download() as saved:
        page.get_by_role("button", name=button).click()
    return Path(saved.value.path())


def test_ticked_jobs_are_compared_and_the_address_can_be_shared(page: Page, jobs: list[str]) -> None:
    page.goto("/jobs")
    expect(page.get_by_role("button", name="Compare jobs")).to_be_disabled()
    page.get_by_label("Choose short").check()
    expect(page.get_by_text("Tick another job")).to_be_visible()
    # Another filter keeps what is ticked.
    page.get_by_label("Framework").select_option("sdclr")
    expect(page.locator("tr[data-job]")).to_have_count(1)
    page.get_by_label("Choose long").check()
    page.get_by_role("link", name="Compare 2 jobs").click()
    expect(page.get_by_role("heading", name="Compare 2 jobs")).to_be_visible()
    assert page.url.endswith(address(jobs))
    page.locator("#settings").get_by_role("link", name="long").click()
    expect(page.get_by_role("heading", name="long")).to_be_visible()


def test_the_list_is_sorted_filtered_and_grouped_in_its_address(page: Page, service: Stack, jobs: list[str]) -> None:
    names = page.locator("tr[data-job] td.what > a")
    page.goto("/jobs")
    page.get_by_role("columnheader", name="Few, over classes").get_by_role("button").click()
    listed = service.client.get("/api/v1/jobs", params={"order": "-few"}).json()["items"]
    expect(names).to_have_text([job["name"] for job in listed])
    expect(page.get_by_role("columnheader", name="Few, over classes")).to_have_attribute("aria-sort", "descending")
    page.get_by_text("Columns").first.click()
    for column in ("Std, of the groups", "Loss curve", "Tags", "Duration"):
        page.get_by_label(column).check()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Duration")).to_be_hidden()
    stds = page.locator("td[data-column=std]")
    expect(stds).to_have_text([f"{100 * job['std']:.2f}" for job in listed])
    expect(page.get_by_role("img", name=re.compile("Loss of long: .* at last"))).to_be_visible()

    # Jobs are tagged, submitted again and deleted together.
    page.get_by_label("All jobs of this page").check()
    page.get_by_role("button", name="Add a tag").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("pair")
    page.get_by_role("dialog").get_by_role("button", name="Add").click()
    expect(page.get_by_role("button", name="pair")).to_have_count(2)
    page.get_by_label("Choose long").uncheck()
    page.get_by_role("button", name="Rerun").click()
    expect(page.get_by_text("1 job submitted again")).to_be_visible()
    again = next(job for job in service.client.get("/api/v1/jobs").json()["items"] if job["id"] not in jobs)
    first = service.client.get(f"/api/v1/jobs/{jobs[0]}").json()
    assert again["name"] == f"{first['name']} (2)"
    assert all(again[key] == first[key] for key in ("tags", "config", "evaluations", "dataset_id"))
    page.get_by_label("Group by settings").check()
    expect(names).to_have_count(2)
    expect(page.locator("tr[data-job]", has_text="seeds: 3, 3")).to_be_visible()
    page.go_back()
    expect(names).to_have_count(3)
    page.get_by_role("button", name="Clear").click()
    page.locator(f"tr[data-job='{again['id']}']").get_by_role("checkbox").check()
    page.get_by_role("group", name="Chosen jobs").get_by_role("button", name="Cancel").click()
    wait_until(lambda: status(service, again["id"]) in ("cancelled", "succeeded"), 60, "it is over")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(names).to_have_count(2)
    page.get_by_label("Tag", exact=True).fill("none")
    page.get_by_label("Tag", exact=True).press("Enter")
    expect(page.get_by_text("No job matches the filters")).to_be_visible()
    page.go_back()
    expect(names).to_have_text([job["name"] for job in listed])
    assert violations(page) == []


def test_a_job_is_run_again_with_changes(page: Page, service: Stack, jobs: list[str]) -> None:
    page.goto(f"/jobs/{jobs[0]}")
    page.get_by_role("link", name="Rerun with changes").click()
    expect(page.get_by_label("width")).to_have_value("4")
    expect(page.get_by_label("Seed")).to_have_value("3")
    expect(page.get_by_label("Epochs", exact=True)).to_have_value("1")
    # What follows from the preset and the epochs is not typed, but shown as what it comes to.
    first = service.client.get(f"/api/v1/jobs/{jobs[0]}").json()
    warmup = page.get_by_label("lr_warmup_epochs")
    expect(warmup).to_have_value("")
    expect(warmup).to_have_attribute("placeholder", str(first["config"]["lr_warmup_epochs"]))
    cost = page.locator("[data-estimate]")
    expect(cost.locator("[data-fact=Steps]")).to_have_text(f"{first['progress']['steps']:,}")
    expect(cost.locator("[data-fact='Time, about']")).to_contain_text("s")
    page.get_by_label("batch_size").fill("1000000")
    expect(page.locator("[data-pointer='/config/batch_size']")).to_be_visible()
    page.get_by_label("batch_size").fill("")
    page.get_by_label("Seed").fill("4")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="short (2)")).to_be_visible()
    expect(page).not_to_have_url(re.compile("new"))
    again = service.client.get(f"/api/v1/jobs/{page.url.rsplit('/', 1)[1]}").json()
    assert again["config"] == first["config"] | {"seed": 4}
    assert again["evaluations"] == first["evaluations"]
    service.client.post(f"/api/v1/jobs/{again['id']}/cancel")
    wait_until(lambda: status(service, again["id"]) in ("cancelled", "succeeded"), 60, "it is over")
    service.client.delete(f"/api/v1/jobs/{again['id']}")


def test_settings_that_differ_and_more_steps_are_told(page: Page, jobs: list[str], comparison: dict[str, Any]) -> None:
    page.goto(address(jobs))
    for name, values in comparison["differences"].items():
        cells = page.locator(f"#settings td[data-setting='{name}']")
        # A run that does not read the setting has none.
        shown = ["–" if value is None else text for value, text in zip(values, as_written(page, values), strict=True)]
        expect(cells).to_have_text(shown)
    assert {"framework", "epochs", "seed", "prune_share"} <= comparison["differences"].keys()
    steps = [job["progress"]["step"] for job in comparison["jobs"]]
    shown = page.locator("#settings td[data-steps]").evaluate_all("cells => cells.map(cell => +cell.dataset.steps)")
    assert shown == steps
    assert steps[1] > steps[0]
    expect(page.get_by_role("note")).to_contain_text(f"long trained for {steps[1] - steps[0]} more steps than short")


def test_accuracy_is_the_apis_and_no_run_is_marked(page: Page, jobs: list[str], comparison: dict[str, Any]) -> None:
    page.goto(address(jobs))
    for kind in ("linear", "knn"):
        page.get_by_label("Probe").select_option(kind)
        probes = comparison["evaluations"][kind]
        groups = [probe["group_accuracy"] for probe in probes]
        wanted = {
            "All": [probe["balanced_accuracy"] for probe in probes],
            **{name.capitalize(): [group[name] for group in groups] for name in ("many", "medium", "few")},
            "Std": [probe["group_std"] for probe in probes],
        }
        for name, values in wanted.items():
            cells = page.locator(f"tr[data-score={name}] td")
            expect(cells.nth(0)).to_have_attribute("data-value", as_written(page, values)[0])
            assert cells.evaluate_all("cells => cells.map(({dataset: d}) => +d.value)") == values, name
            form = "{:.2f}" if name == "Std" else "{:.1f} %"
            expect(cells.nth(1)).to_contain_text(form.format(100 * values[1]))

        # Each class's bars stand side by side, from head to tail.
        counts = probes[0]["class_counts"]
        order = sorted(range(len(counts)), key=lambda index: (-counts[index], index))
        bars = page.locator("#classes rect[data-class]")
        drawn = bars.evaluate_all(
            "bars => bars.map(({dataset: d, height}) => [+d.class, +d.value, height.baseVal.value])"
        )
        values = [(index, probe["per_class_accuracy"][index]) for index in order for probe in probes]
        assert [(index, value) for index, value, _ in drawn] == values
        assert [height for *_, height in drawn] == pytest.approx([max(1, 220 * value) for _, value in values], abs=0.01)
    # They differ in framework and length, so that no difference has a verdict.
    card = page.locator("#differences")
    means = [probe["balanced_accuracy"] for probe in comparison["evaluations"]["knn"]]
    for place, mean in enumerate(means):
        expect(card.locator("tr[data-difference=all] td").nth(place)).to_contain_text(f"{100 * mean:.1f} %")
    expect(card.locator("tr[data-difference=all]")).to_contain_text("no verdict")
    expect(card).to_contain_text("more than one setting")
    expect(card.get_by_label("Baseline")).to_have_value(jobs[0])
    card.get_by_label("Baseline").select_option(jobs[1])
    assert f"baseline={jobs[1]}" in page.url
    assert "kind=knn" in page.url
    page.reload()
    expect(page.get_by_label("Probe")).to_have_value("knn")


def test_curves_lie_over_each_other_and_leave_as_csv_and_png(
    page: Page, jobs: list[str], comparison: dict[str, Any]
) -> None:
    page.goto(address(jobs, metric="learning_rate"))
    expect(page.get_by_role("img", name="learning rate over the steps of 2 jobs")).to_be_visible()
    rows = list(csv.DictReader(io.StringIO(downloaded(page, "CSV of compare-learning-rate").read_text())))
    for name, curve in zip(["short", "long"], comparison["curves"]["learning_rate"], strict=True):
        points = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
        assert points == list(zip(curve["step"], curve["value"], strict=True))
    rows = list(csv.DictReader(io.StringIO(downloaded(page, "CSV of compare-linear-accuracy-by-class").read_text())))
    accuracy = comparison["evaluations"]["linear"][1]["per_class_accuracy"]
    assert {int(row["class"]): float(row["long"]) for row in rows} == dict(enumerate(accuracy))
    for name in ("learning-rate", "linear-accuracy-by-class"):
        png = downloaded(page, f"PNG of compare-{name}").read_bytes()
        assert png.startswith(b"\x89PNG")
        assert int.from_bytes(png[16:20]) > 600  # pixels across


def test_a_job_that_runs_is_followed(page: Page, service: Stack, dataset_id: str, jobs: list[str]) -> None:
    running = submit(service, dataset_id, "endless", epochs=5000)
    page.goto(address([jobs[0], running]))
    cell = page.locator("#settings td[data-steps]").nth(1)
    expect(cell).to_contain_text(" of ", timeout=LONG)
    expect(page.locator("tr[data-score=All] td").nth(1)).to_have_text("–")
    before = cell.inner_text()
    expect(cell).not_to_have_text(before)
    service.client.post(f"/api/v1/jobs/{running}/cancel")
    expect(page.locator("#settings [data-status=cancelled]")).to_be_visible(timeout=LONG)


def test_the_same_analysis_of_each_is_side_by_side(page: Page, service: Stack, jobs: list[str]) -> None:
    found = {}
    for name, job_id in zip(("short", "long"), jobs, strict=True):
        asked = service.client.post(f"/api/v1/jobs/{job_id}/analyses", json={"kind": "uniformity"}).json()
        at = f"/api/v1/analyses/{asked['id']}"
        wait_until(lambda at=at: service.client.get(at).json()["status"] == "succeeded", 60, "it is there")
        found[name] = service.client.get(at).json()["result"]["by_class"]
    page.goto(address(jobs))
    for name, values in found.items():
        figure = page.locator("#analyses").get_by_role("region", name=re.compile(name))
        bars = figure.locator("[data-class]")
        expect(bars).to_have_count(10)
        drawn = bars.evaluate_all("bars => bars.map(({dataset: d}) => [+d.class, +d.value])")
        assert dict(drawn) == pytest.approx(dict(enumerate(values)))
    assert violations(page) == []


def test_what_cannot_be_compared_is_said(page: Page, jobs: list[str]) -> None:
    page.goto(address(jobs[:1]))
    expect(page.get_by_text("Nothing to compare yet")).to_be_visible()
    page.goto(address([f"{number:032x}" for number in range(21)]))
    expect(page.get_by_text("21 jobs are too many")).to_be_visible()
    page.goto(address([jobs[0], "gone"]))
    expect(page.get_by_role("alert")).to_contain_text("Not Found")


def test_a_comparison_is_no_wider_than_a_phone(page: Page, jobs: list[str]) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(address(jobs))
    expect(page.locator("#classes rect[data-class]")).to_have_count(20)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
