"""The dashboard as a reader uses it: from the first screen to a job's per-class plot, all of it
real."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from colt_client import Client
from tests.support.axe import violations
from tests.support.processes import Process, free_port, wait_until
from tests.support.proxy import proxying
from tests.support.stack import Stack
from tests.support.watch import LONG, Watch

TINY = {"width": 8, "sample_budget": 40, "num_clusters": 4, "kmeans_restarts": 1, "checkpoint_interval": 1}


@pytest.fixture(scope="module")
def job(browser: Browser, service: Stack) -> dict[str, Any]:
    """A COLT job, submitted in the browser from an empty service and watched to its end without a
    reload."""
    context = browser.new_context(base_url=service.url)
    page = context.new_page()
    watch = Watch(page)
    page.goto("/")
    expect(page.get_by_text("Nothing has run yet")).to_be_visible()
    page.get_by_role("button", name="Register the digits").click()
    page.get_by_role("button", name="Register the glyphs").click()
    expect(page.locator("[data-status=ready]")).to_have_count(2, timeout=LONG)

    page.get_by_role("link", name="New job").last.click()
    page.get_by_label("Sampler").select_option("colt")
    page.get_by_label("Preset").select_option("digits")
    page.get_by_label("Epochs", exact=True).fill("3")
    page.get_by_label("Name").fill("browser run")
    page.get_by_label("Nearest neighbours").check()
    page.get_by_text("Further settings").click()
    page.get_by_label("Configuration as JSON").fill(json.dumps(TINY))
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="browser run")).to_be_visible()

    page.evaluate("window.sameDocument = true")
    expect(page.locator("[data-live=live]")).to_be_visible()
    expect(page.locator("h1 ~ [data-status=succeeded]")).to_be_visible(timeout=LONG)
    expect(page.locator("[data-live=ended]")).to_be_visible()
    expect(page.locator("rect[data-class]")).to_have_count(10)
    expect(page.locator("[data-fact=Epoch]")).to_have_text("3 of 3")
    expect(page.locator("#profile [data-phase=evaluation]")).to_be_visible()
    assert page.evaluate("window.sameDocument"), "the page was loaded again"
    assert (watch.foreign, watch.errors) == ([], [])
    job_id = page.url.rsplit("/", 1)[1]
    context.close()
    answered: dict[str, Any] = service.client.get(f"/api/v1/jobs/{job_id}").json()
    return answered


def linear_evaluation(service: Stack, job: dict[str, Any]) -> dict[str, Any]:
    evaluations = service.client.get(f"/api/v1/jobs/{job['id']}/evaluations").json()["items"]
    return next(evaluation for evaluation in evaluations if evaluation["kind"] == "linear")


def bars(page: Page) -> Locator:
    return page.locator("#accuracy rect[data-class]")


def test_the_job_ran_as_it_was_asked_for(job: dict[str, Any]) -> None:
    assert job["name"] == "browser run"
    assert job["evaluations"] == ["linear", "knn"]
    assert {key: job["config"][key] for key in TINY} == TINY
    assert (job["config"]["sampler"], job["config"]["preset"], job["config"]["epochs"]) == ("colt", "digits", 3)


def test_bars_are_the_apis_values_from_head_to_tail(page: Page, service: Stack, job: dict[str, Any]) -> None:
    evaluation = linear_evaluation(service, job)
    counts, accuracy = evaluation["class_counts"], evaluation["per_class_accuracy"]
    page.goto(f"/jobs/{job['id']}")
    expect(bars(page)).to_have_count(len(counts))
    shown = bars(page).evaluate_all("bars => bars.map(({dataset: d}) => [+d.class, +d.count, +d.value])")
    order = sorted(range(len(counts)), key=lambda index: (-counts[index], index))
    assert shown == [[index, counts[index], accuracy[index]] for index in order]

    # What is drawn, and not only what is noted on it: heights are in proportion to the values.
    heights = bars(page).evaluate_all("bars => bars.map(bar => bar.height.baseVal.value)")
    assert heights == pytest.approx([max(1, 220 * accuracy[index]) for index in order], abs=0.01)

    groups = evaluation["group_accuracy"]
    for name in ("many", "medium", "few"):
        expect(page.locator(f"#accuracy [data-fact={name.capitalize()}]")).to_have_text(f"{100 * groups[name]:.1f} %")
        mean = page.locator(f"line[data-group={name}]").get_attribute("data-value")
        assert float(mean or "nan") == groups[name]
    expect(page.locator("#accuracy [data-fact=Std]")).to_have_text(f"{100 * evaluation['group_std']:.2f}")


def with_alike(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A list as a gallery shows it unfolded: near-identical images follow the first of them."""
    firsts = [one for one in samples if one["alike_to"] is None]
    return [same for one in firsts for same in (one, *(two for two in samples if two["alike_to"] == one["index"]))]


def unfold(part: Locator) -> None:
    for fold in part.locator("[data-alike]").all():
        fold.click()


def test_rounds_and_ood_images_are_the_apis(page: Page, service: Stack, job: dict[str, Any]) -> None:
    rounds = service.client.get(f"/api/v1/jobs/{job['id']}/rounds").json()["items"]
    top = service.client.get(f"/api/v1/jobs/{job['id']}/ood-tailness", params={"limit": 48, "alike": True}).json()[
        "items"
    ]
    page.goto(f"/jobs/{job['id']}")
    expect(page.locator("tr[data-round]")).to_have_count(len(rounds))
    pool = service.client.get(f"/api/v1/ood-pools/{job['ood_pool_id']}").json()
    assert [item["num_embedded"] for item in rounds] == [pool["num_samples"]] * len(rounds)
    for item in rounds:
        expect(page.locator(f"tr[data-round='{item['round']}'] td").nth(3)).to_have_text(f"{item['num_embedded']:,}")
    expect(page.locator("tr[data-cluster]")).to_have_count(TINY["num_clusters"])

    # The picks come first, by cluster, from the most tail-like one on.
    last = service.client.get(f"/api/v1/jobs/{job['id']}/rounds/{len(rounds)}").json()
    clusters = last["clusters"]
    order = sorted(range(len(clusters)), key=lambda index: -clusters[index]["tailness"])
    sections = page.locator("#ood [data-picks]")
    expect(sections).to_have_count(len(order))
    assert sections.evaluate_all("all => all.map(({dataset: d}) => +d.picks)") == order
    for index in order:
        few = clusters[index]["few_share"]
        told = f"Few {100 * few:.1f} %, {few / last['few_share']:.1f} times the base rate"
        expect(page.locator(f"[data-picks='{index}'] [data-few]")).to_have_text(told)
        query = {"selected": True, "cluster": index, "limit": 8, "alike": True}
        picks = service.client.get(f"/api/v1/jobs/{job['id']}/ood-tailness", params=query).json()["items"]
        shown = page.locator(f"[data-picks='{index}'] [data-ood]")
        expect(shown).to_have_count(sum(one["alike_to"] is None for one in picks))
        unfold(page.locator(f"[data-picks='{index}']"))
        expect(shown).to_have_count(len(picks))
        assert shown.evaluate_all("all => all.map(({dataset: d}) => +d.ood)") == [
            one["index"] for one in with_alike(picks)
        ]

    page.locator("#ood [data-view=all]").click()
    thumbnails = page.locator("#ood [data-ood]")
    folds = [one["alike_to"] for one in top if one["alike_to"] is not None]
    expect(thumbnails).to_have_count(48 - len(folds))
    assert sum(int(text.split()[0]) for text in page.locator("#ood [data-alike]").all_inner_texts()) == len(folds)
    unfold(page.locator("#ood"))
    expect(thumbnails).to_have_count(48)
    shown = thumbnails.evaluate_all("all => all.map(({dataset: d}) => [+d.ood, +d.tailness])")
    assert shown == [[sample["index"], sample["tailness"]] for sample in with_alike(top)]
    expect(page.locator("#ood figure.marked")).to_have_count(sum(sample["selected"] for sample in top))

    # They are images, not broken ones.
    first = page.locator("#ood img").first
    first.scroll_into_view_if_needed()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=first.element_handle())


def test_the_page_says_where_the_time_went_and_how_it_was_computed(
    page: Page, service: Stack, job: dict[str, Any]
) -> None:
    profile = service.client.get(f"/api/v1/jobs/{job['id']}/profile").json()
    page.goto(f"/jobs/{job['id']}")
    expect(page.locator("#profile [data-phase=evaluation]")).to_be_visible()
    phases = page.locator("#profile [data-phase]")
    shown = phases.evaluate_all("all => all.map(({dataset: d}) => [d.phase, +d.seconds])")
    assert dict(shown) == {phase: seconds for phase, seconds in profile.items() if phase != "epochs" and seconds}
    assert {"data", "forward_backward", "tailness", "round", "evaluation"} <= {phase for phase, _ in shown}
    # What is drawn: parts of the bar in the order of the legend, as wide as their shares.
    widths = page.locator("#profile [data-part]").evaluate_all("all => all.map(part => part.offsetWidth)")
    whole = sum(seconds for _, seconds in shown)
    assert [width / sum(widths) for width in widths] == pytest.approx(
        [seconds / whole for _, seconds in shown], abs=0.02
    )

    assert (job["compute"]["device"], job["compute"]["threads"]) == ("cpu", 1)
    expect(page.locator("[data-fact=Device]")).to_have_text("CPU, 1 thread")
    expect(page.locator("[data-fact=Precision]")).to_have_text(job["compute"]["precision"])
    expect(page.get_by_text(f"Computed in {job['compute']['precision']}: {job['compute']['reason']}.")).to_be_visible()


def test_attempts_are_told_as_they_happen_and_workers_with_what_they_do(
    page: Page, service: Stack, job: dict[str, Any]
) -> None:
    page.goto(f"/jobs/{job['id']}")
    expect(page.locator("#attempts tr[data-attempt]")).to_have_count(1)
    expect(page.locator("#attempts [data-status=succeeded]")).to_be_visible()

    config = {"preset": "digits", "width": 8, "sampler": "none", "epochs": 500, "checkpoint_interval": 1}
    body = {"name": "stop and go", "dataset_id": job["dataset_id"], "config": config, "evaluations": []}
    job_id = service.client.post("/api/v1/jobs", json=body).json()["id"]
    page.goto(f"/jobs/{job_id}")
    first, second = page.locator("tr[data-attempt='1']"), page.locator("tr[data-attempt='2']")
    expect(first.locator("[data-status=running]")).to_be_visible()
    expect(first.locator("td").nth(2)).to_have_text("start", timeout=LONG)
    expect(page.locator("[data-fact=Epoch]")).to_have_text(re.compile("^[1-9]"), timeout=LONG)
    page.get_by_role("link", name="Workers").first.click()
    expect(page.locator("tr[data-worker] [data-status=live]")).to_have_count(1)
    page.get_by_role("link", name=f"job {job_id[:8]}").click()

    page.get_by_role("button", name="Cancel").click()
    expect(first.locator("[data-status=cancelled]")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Resume").click()
    expect(second.locator("[data-status=running]")).to_be_visible(timeout=LONG)
    expect(second.locator("td").nth(2)).to_have_text(re.compile("^epoch [1-9]"), timeout=LONG)
    page.get_by_role("button", name="Cancel").click()
    expect(second.locator("[data-status=cancelled]")).to_be_visible(timeout=LONG)

    told = service.client.get(f"/api/v1/jobs/{job_id}/attempts").json()["items"]
    assert [attempt["outcome"] for attempt in told] == ["cancelled", "cancelled"]
    assert told[1]["from_step"] == told[0]["step"]
    expect(page.locator("[data-fact=Attempts]")).to_have_text("2")
    expect(first.locator("td").nth(6)).to_have_text(told[0]["worker_id"])
    expect(second.locator("td").nth(2)).to_have_text(f"epoch {told[1]['from_epoch']}, step {told[1]['from_step']:,}")
    expect(second.locator("td").nth(3)).to_have_text(str(told[1]["epoch"]))


def test_a_reload_keeps_what_was_chosen(page: Page, job: dict[str, Any]) -> None:
    page.goto(f"/jobs/{job['id']}")
    page.get_by_label("Quantity").select_option("learning_rate")
    page.get_by_label("Evaluation", exact=True).select_option(label="Nearest neighbours, epoch 3")
    page.locator("tr[data-round='1'] button").click()
    page.locator("#ood [data-view=all]").click()
    page.get_by_label("Picked", exact=True).select_option("picked")
    expect(page.locator("#ood figure:not(.marked)")).to_have_count(0)
    # The browser goes back to the filter before.
    page.go_back()
    expect(page.get_by_label("Picked", exact=True)).to_have_value("")
    expect(page.locator("#ood figure:not(.marked)").first).to_be_visible()
    page.go_forward()
    expect(page.locator("#ood figure:not(.marked)")).to_have_count(0)
    address = page.url
    page.reload()
    assert page.url == address
    expect(page.get_by_label("Quantity")).to_have_value("learning_rate")
    expect(page.get_by_role("img", name="learning rate over")).to_be_visible()
    expect(page.locator("#accuracy").get_by_text("Nearest neighbours, epoch 3.")).to_be_visible()
    expect(page.locator("tr[data-round='1'] button")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Picked", exact=True)).to_have_value("true")
    expect(page.locator("#ood figure.marked").first).to_be_visible()
    expect(page.locator("#ood figure:not(.marked)")).to_have_count(0)


def test_an_image_says_why_it_was_picked_and_what_is_near_it(page: Page, service: Stack, job: dict[str, Any]) -> None:
    api = f"/api/v1/jobs/{job['id']}/ood-tailness"
    picked = service.client.get(api, params={"selected": True, "limit": 1}).json()["items"][0]["index"]
    standing = service.client.get(f"{api}/{picked}").json()["standing"]
    near = service.client.get(f"{api}/{picked}/nearest").json()["items"]
    page.goto(f"/jobs/{job['id']}")
    link = page.locator("#ood a", has=page.locator(f"[data-ood='{picked}']"))
    link.focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog", name=f"OOD image {picked}")
    expect(panel.locator("[data-why=picked]")).to_contain_text(f"number {standing['cluster_rank']:,} by similarity")
    expect(panel.locator("[data-fact=Percentile]")).to_have_text(f"{100 * standing['percentile']:.1f} %")
    expect(panel.locator("[data-near]")).to_have_count(8)
    told = panel.locator("[data-near]").evaluate_all("all => all.map(one => [+one.dataset.near, one.textContent])")
    assert told == [[one["index"], one["class_name"]] for one in near]
    rounds = service.client.get(f"/api/v1/jobs/{job['id']}/rounds").json()["items"]
    expect(panel.locator("[data-seen]")).to_have_count(len(rounds))
    assert violations(page) == []
    address = page.url
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(link).to_be_focused()
    page.go_back()
    expect(panel).to_be_visible()

    other = service.client.get(api, params={"selected": False, "limit": 1}).json()["items"][0]["index"]
    page.goto(address.replace(f"image={picked}", f"image={other}"))
    expect(page.get_by_role("dialog").locator("[data-why='not picked']")).to_be_visible()


def test_changes_and_a_part_of_the_histogram(page: Page, service: Stack, job: dict[str, Any]) -> None:
    api = f"/api/v1/jobs/{job['id']}/ood-tailness"
    page.goto(f"/jobs/{job['id']}?view=changes")
    for change in ("entered", "stayed", "left"):
        total = service.client.get(api, params={"change": change}).json()["total"]
        expect(page.locator(f"[data-change={change}]")).to_have_attribute("data-total", str(total))

    page.goto(f"/jobs/{job['id']}?view=all")
    found = service.client.get(f"{api}/histogram").json()
    bars = page.locator("#ood [data-bin=all]")
    expect(bars).to_have_count(len(found["all"]))
    assert bars.evaluate_all("bars => bars.map(bar => +bar.dataset.count)") == found["all"]
    # From the middle of the eleventh bin to that of the last one, with the mouse.
    page.locator("#ood .plot svg").scroll_into_view_if_needed()
    first, last = bars.nth(10).bounding_box(), bars.last.bounding_box()
    assert first and last
    page.mouse.move(first["x"] + first["width"] / 2, first["y"])
    page.mouse.down()
    page.mouse.move(last["x"] + last["width"] / 2, last["y"])
    page.mouse.up()
    bounds = {"min": found["edges"][10], "max": found["edges"][-1]}
    total = service.client.get(api, params=bounds).json()["total"]
    assert total == sum(found["all"][10:])
    expect(page.locator("#ood").get_by_text(f"{total:,} images. Orange frame")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Whole range").click()
    expect(page.locator("#ood").get_by_text(f"{sum(found['all']):,} images. Orange frame")).to_be_visible()


def test_back_leads_to_the_place_on_a_page(page: Page, service: Stack, job: dict[str, Any]) -> None:
    page.goto(f"/jobs/{job['id']}")
    for late in ("#ood [data-ood]", "#profile", "#log pre"):  # what makes the page longer
        expect(page.locator(late).first).to_be_visible()
    page.locator("tr[data-cluster]").first.scroll_into_view_if_needed()
    page.mouse.wheel(0, 120)
    page.wait_for_function("() => history.state?.scroll === Math.round(scrollY) && scrollY > 500")
    left = page.evaluate("scrollY")
    # The address names the part that was read.
    named = page.locator("nav[aria-label=Sections] a[aria-current]").get_attribute("href")
    assert page.url.endswith(f"/jobs/{job['id']}{named}")

    here = f"() => Math.abs(scrollY - {left}) <= 2"
    # A click of the mouse would scroll to the link first.
    page.get_by_role("link", name="Jobs", exact=True).first.evaluate("link => link.click()")
    expect(page.locator("tr[data-job]").first).to_be_visible()
    assert page.evaluate("scrollY") == 0
    page.go_back()
    page.wait_for_function(here)
    # A part that changes in place is a step of its own, at the same place.
    page.locator("#ood [data-view=all]").click()
    expect(page.locator("#ood #picked")).to_be_visible()
    page.evaluate("window.sameDocument = true")
    page.mouse.wheel(0, 500)
    page.wait_for_function(f"() => history.state?.scroll > {left} + 100")
    page.go_back()
    expect(page.locator("#ood [data-picks]").first).to_be_visible()
    assert page.evaluate("window.sameDocument")

    # A copied link opens at its part.
    page.goto("/")
    page.goto(f"/jobs/{job['id']}#ood")
    expect(page.locator("#ood")).to_be_in_viewport()


def test_class_size_and_tailness_are_the_apis(page: Page, service: Stack, job: dict[str, Any]) -> None:
    api = f"/api/v1/jobs/{job['id']}/tailness"
    found = service.client.get(f"{api}/classes").json()
    page.goto(f"/jobs/{job['id']}#tailness")  # a link to a part that comes late
    card = page.locator("#tailness")
    expect(card).to_be_in_viewport()
    expect(card.locator("circle.dot")).to_have_count(len(found["items"]))
    heights = card.locator("circle.dot").evaluate_all("dots => dots.map(dot => +dot.dataset.y)")
    assert heights == [one["mean_tailness"] for one in found["items"]]
    low, high = found["fit"]["interval"]
    expect(card.locator("[data-fact=r]")).to_have_text(f"{found['fit']['r']:.2f}")
    expect(card.locator("[data-fact='95 % interval of r']")).to_have_text(f"{low:.2f} to {high:.2f}")
    page.get_by_label("Class of the images").select_option("9")
    nines = service.client.get(f"{api}/samples", params={"label": 9, "limit": 12}).json()["items"]
    expect(card.locator("[data-id]")).to_have_count(len(nines))
    shown = card.locator("[data-id]").evaluate_all("all => all.map(one => +one.dataset.id)")
    assert shown == [one["index"] for one in nines]


def test_the_keyboard_reaches_every_bar(page: Page, job: dict[str, Any]) -> None:
    page.goto(f"/jobs/{job['id']}")
    expect(bars(page)).to_have_count(10)
    focused = "document.activeElement.getAttribute('data-class')"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(focused) is not None:
            break
    walked = [page.evaluate(focused)]
    for _ in range(9):
        page.keyboard.press("ArrowRight")
        walked.append(page.evaluate(focused))
    assert walked == bars(page).evaluate_all("bars => bars.map(bar => bar.dataset.class)")
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert "training images" in label and "test images" in label
    # One stop for Tab: the next one leaves the plot.
    page.keyboard.press("Tab")
    assert page.evaluate(focused) is None


def test_a_plot_leaves_as_csv_and_png(page: Page, service: Stack, job: dict[str, Any]) -> None:
    evaluation = linear_evaluation(service, job)
    page.goto(f"/jobs/{job['id']}")

    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV of browser-run-accuracy-by-class").click()
    rows = list(csv.DictReader(io.StringIO(Path(saved.value.path()).read_text())))
    assert {int(row["class"]): float(row["accuracy"]) for row in rows} == dict(
        enumerate(evaluation["per_class_accuracy"])
    )

    with page.expect_download() as saved:
        page.get_by_role("button", name="LaTeX of browser-run-accuracy-by-class").click()
    assert Path(saved.value.path()).read_text().count("\\\\\n") == 1 + len(rows)

    # Curves begin with the means of epochs, and can be seen by epoch, by time and smoothed.
    page.get_by_label("Horizontal axis").select_option("epoch")
    page.get_by_label("Smoothing").fill("0.5")
    expect(page.get_by_role("img", name="epoch loss over 3 points")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV of browser-run-epoch-loss").click()
    drawn = list(csv.DictReader(io.StringIO(Path(saved.value.path()).read_text())))
    assert [float(row["epoch"]) for row in drawn] == [1, 2, 3]
    curve = service.client.get(f"/api/v1/jobs/{job['id']}/metrics?name=epoch_loss").json()["epoch_loss"]
    assert [float(row["epoch_loss"]) for row in drawn] == curve["value"]
    assert {"step", "epoch_loss_smoothed"} <= set(drawn[0])

    for name in ("accuracy-by-class", "epoch-loss"):
        with page.expect_download() as saved:
            page.get_by_role("button", name=f"SVG of browser-run-{name}").click()
        figure = ElementTree.fromstring(Path(saved.value.path()).read_text())
        texts = [text.text for text in figure.iter("{http://www.w3.org/2000/svg}text")]
        assert any(text and text.startswith("browser run: ") for text in texts)  # the title
        assert {"accuracy", "epoch"} & set(texts)  # the axes
        with page.expect_download() as saved:
            page.get_by_role("button", name=f"PNG of browser-run-{name}").click()
        png = Path(saved.value.path()).read_bytes()
        assert png.startswith(b"\x89PNG")
        assert int.from_bytes(png[16:20]) > 1800  # pixels across


def test_the_log_is_searched_and_downloaded(page: Page, service: Stack, job: dict[str, Any]) -> None:
    page.goto(f"/jobs/{job['id']}")
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Log").click()
    log = page.locator("#log pre")
    expect(log).to_be_in_viewport()
    whole = service.client.get(f"/api/v1/jobs/{job['id']}/log").text
    assert (log.text_content() or "").splitlines() == whole.splitlines()
    page.get_by_label("Search the log").fill("ROUND 1")
    found = [line for line in whole.splitlines() if "round" in line and "1" in line]
    expect(log).to_have_text("\n".join(found))
    with page.expect_download() as saved:
        page.get_by_role("link", name="Download the log").click()
    assert Path(saved.value.path()).read_text() == whole


def finished_analysis(page: Page, service: Stack, job: dict[str, Any], kind: str) -> dict[str, Any]:
    """What the API found in an analysis that is asked for on the job's page, and shown there
    without a reload."""
    page.locator(f"button[data-kind={kind}]").click()
    page.get_by_role("button", name="Run on the last checkpoint").click()
    expect(page.locator("#analyses > div > [data-status=succeeded]")).to_be_visible(timeout=LONG)
    page.locator("#analyses").get_by_text("As a table").click()
    expect(page.locator("#analyses .scroll-x td").first).to_be_visible()
    analyses = service.client.get(f"/api/v1/jobs/{job['id']}/analyses", params={"kind": kind}).json()["items"]
    assert [analysis["epoch"] for analysis in analyses] == [3]
    result: dict[str, Any] = service.client.get(f"/api/v1/analyses/{analyses[0]['id']}").json()["result"]
    return result


def table(page: Page) -> list[list[float | None]]:
    """The numbers of the table under an analysis."""
    shown: list[list[float | None]] = page.locator("#analyses .scroll-x tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.dataset.value ? +cell.dataset.value : null))"
    )
    return shown


def test_analyses_are_run_from_the_page_and_show_the_apis_numbers(
    page: Page, service: Stack, job: dict[str, Any]
) -> None:
    page.goto(f"/jobs/{job['id']}")
    share = finished_analysis(page, service, job, "tail_share")
    assert table(page) == [list(row) for row in zip(share["gamma"], share["phi_tail"], share["phi_head"], strict=True)]
    assert table(page)[-1] == [100, 1, 1], "of all images each group has its own share"

    clusters = finished_analysis(page, service, job, "cluster_minority")
    points = list(zip(clusters["minority_share"], clusters["tailness"], strict=True))
    assert table(page) == [[size, *point] for size, point in zip(clusters["size"], points, strict=True)]
    expect(page.locator("#analyses [data-fact=r]")).to_have_text(f"{clusters['r']:.3f}")
    # What is drawn: the places are a linear function of the numbers, rightwards and upwards.
    dots = page.locator("#analyses circle[data-x]")
    drawn = dots.evaluate_all(
        "dots => dots.map(({cx, cy, dataset: d}) => [+d.x, +d.y, cx.baseVal.value, cy.baseVal.value])"
    )
    assert [(x, y) for x, y, _, _ in drawn] == points
    x, y, across, down = np.array(drawn).T
    for values, places, sign in ((x, across, 1), (y, down, -1)):
        slope, intercept = np.polyfit(values, places, 1)
        assert slope * sign > 0
        np.testing.assert_allclose(slope * values + intercept, places, atol=0.01)

    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV of browser-run-cluster-minority").click()
    rows = list(csv.DictReader(io.StringIO(Path(saved.value.path()).read_text())))
    assert [float(row["tailness"]) for row in rows] == clusters["tailness"]
    # The address keeps which one is shown; the keyboard reaches every point.
    page.reload()
    expect(dots).to_have_count(len(points))
    page.locator("#analyses").get_by_role("img", name="Mean tailness of").focus()
    page.keyboard.press("End")
    expect(page.get_by_text(f"A cluster of {clusters['size'][-1]} images")).to_be_visible()

    # Another checkpoint has its own.
    page.get_by_label("Analysed checkpoint").select_option(label="epoch 2")
    page.get_by_role("button", name="Run on epoch 2").click()
    expect(page.locator("#analyses > div > [data-status=succeeded]")).to_be_visible(timeout=LONG)
    asked = {"kind": "cluster_minority"}
    listed = service.client.get(f"/api/v1/jobs/{job['id']}/analyses", params=asked).json()["items"]
    assert [analysis["epoch"] for analysis in listed] == [2, 3]
    page.go_back()
    expect(page.get_by_label("Analysed checkpoint")).to_have_value("")


def evaluations(service: Stack, job: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.client.get(f"/api/v1/jobs/{job['id']}/evaluations").json()["items"]
    return found


def delete(within: Locator, what: str) -> None:
    within.get_by_role("button", name=f"Delete {what}").click()
    dialog = within.get_by_role("dialog")
    expect(dialog).to_contain_text("Its files will be deleted. This cannot be undone.")
    dialog.get_by_role("button", name="Delete").click()


def test_an_evaluation_is_requested_and_deleted_on_the_page(page: Page, service: Stack, job: dict[str, Any]) -> None:
    before = evaluations(service, job)
    page.goto(f"/jobs/{job['id']}")
    page.get_by_text("Evaluate a checkpoint").click()
    form = page.get_by_role("form", name="Evaluate a checkpoint")
    form.get_by_label("Probe").select_option("knn")
    form.get_by_label("neighbors").fill("5")
    form.get_by_label("Checkpoint").select_option(label="epoch 2")
    form.get_by_role("button", name="Evaluate").click()
    # It takes the place of the one that was shown once it is there.
    expect(page.locator("#accuracy").get_by_text("Nearest neighbours, epoch 2.")).to_be_visible(timeout=LONG)
    added = [one for one in evaluations(service, job) if one not in before]
    assert [(one["kind"], one["epoch"], one["config"]["neighbors"]) for one in added] == [("knn", 2, 5)]
    accuracy = added[0]["balanced_accuracy"]
    expect(page.locator("#accuracy [data-fact='All, over classes']")).to_have_text(f"{100 * accuracy:.1f} %")

    # Of every checkpoint, it is a line over epochs.
    form.get_by_label("Checkpoint").select_option("every")
    form.get_by_role("button", name="Evaluate").click()
    over = page.locator("#epochs")
    of = sorted(
        {point["epoch"] for point in service.client.get(f"/api/v1/jobs/{job['id']}/checkpoints").json()["items"]}
    )
    expect(over.get_by_role("img", name=f"over the epochs of {len(of)} checkpoints")).to_be_visible(timeout=LONG)
    added = [one for one in evaluations(service, job) if one not in before]
    with page.expect_download() as saved:
        over.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(saved.value.path()).read_text())))
    shown = {int(row["epoch"]): float(row["All, over classes"]) for row in rows}
    assert shown == {one["epoch"]: one["balanced_accuracy"] for one in added} and sorted(shown) == of
    for one in added:
        if one["epoch"] != 2:
            service.client.delete(f"/api/v1/evaluations/{one['id']}")

    # A refusal is shown beside the field.
    form.get_by_label("Probe").select_option("few_shot")
    form.get_by_label("shots").fill("100000")
    form.get_by_role("button", name="Evaluate").click()
    expect(form.locator("[data-pointer='/shots']")).to_be_visible()

    delete(page.locator("#accuracy"), "Nearest neighbours, epoch 2")
    expect(page.locator("#accuracy").get_by_text("epoch 3.")).to_be_visible()
    assert evaluations(service, job) == before


def test_a_pool_is_checked_on_its_page(page: Page, service: Stack, job: dict[str, Any]) -> None:
    """The images of the data set themselves, as a pool."""
    dataset = service.client.get(f"/api/v1/datasets/{job['dataset_id']}").json()
    images = np.load(next((service.home / "artifacts" / "datasets").glob("*/*/images.npy")))
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(images[:200].transpose(0, 2, 3, 1)))
    sent = service.client.post("/api/v1/uploads", params={"filename": "leak.npy"}, content=file.getvalue()).json()
    body = {"name": "leak", "source": {"kind": "upload", "upload_id": sent["id"]}}
    pool = service.client.post("/api/v1/ood-pools", json=body).json()["id"]
    page.goto(f"/pools/{pool}")
    card = page.locator("#check")
    card.get_by_label("Budget K").fill("50")
    card.get_by_role("button", name="Check the pool").click()
    expect(card.locator("[data-status=succeeded]")).to_be_visible(timeout=LONG)

    (checked,) = service.client.get(f"/api/v1/ood-pools/{pool}/checks").json()["items"]
    result = service.client.get(f"/api/v1/ood-pools/{pool}/checks/{checked['id']}").json()["result"]
    assert (result["verdict"], checked["budget"], result["near_duplicates"]["count"]) == ("leak", 50, 200)
    assert result["use"]["tailness_from"] == "checkpoint" and checked["job_id"] == job["id"]
    expect(card.locator(".verdict [data-verdict=leak]")).to_have_text("a leak")
    for finding in result["findings"]:
        expect(card.locator(f"[data-about={finding['about']}]")).to_have_text(finding["detail"])
    expect(card.locator(".pair")).to_have_count(len(result["near_duplicates"]["examples"]))
    rows = card.locator("[data-table=classes] tr[data-class]")
    expect(rows).to_have_count(dataset["num_classes"])
    counts = dataset["class_counts"]
    order = sorted(range(len(counts)), key=lambda index: (-counts[index], index))
    assert rows.evaluate_all("rows => rows.map(row => +row.dataset.class)") == order
    expect(rows.first.locator("td").nth(2)).to_have_text(f"{100 * result['reach']['reached'][order[0]]:.1f} %")
    delete(card, "this check")
    expect(card.locator("[data-status]")).to_have_count(0)


def test_work_on_a_checkpoint_is_cancelled_on_the_page(page: Page, service: Stack, job: dict[str, Any]) -> None:
    before = evaluations(service, job)
    page.goto(f"/jobs/{job['id']}")
    page.get_by_text("Evaluate a checkpoint").click()
    form = page.get_by_role("form", name="Evaluate a checkpoint")
    form.get_by_label("protocol").select_option("sgd")
    form.get_by_role("button", name="Evaluate").click()
    page.get_by_role("button", name="Cancel Linear probe").click()
    cancelled = page.locator("[data-evaluation]", has=page.locator("[data-status=cancelled]"))
    expect(cancelled).to_be_visible(timeout=LONG)
    delete(cancelled, "Linear probe, epoch 3")
    expect(cancelled).to_have_count(0)
    assert evaluations(service, job) == before

    finished_analysis(page, service, job, "alignment")
    delete(page.locator("#analyses"), "Alignment, epoch 3")
    expect(page.get_by_text("Not run yet.")).to_be_visible()
    assert service.client.get(f"/api/v1/jobs/{job['id']}/analyses?kind=alignment").json()["items"] == []


def test_the_form_submits_each_framework_and_matched_steps(page: Page, service: Stack, job: dict[str, Any]) -> None:
    page.goto("/jobs/new")
    # What is typed for a kind that is no longer chosen is not sent; the API would refuse it.
    page.get_by_label("Framework").select_option("moco")
    page.get_by_label("queue_size").fill("64")
    page.get_by_label("Framework").select_option("bcl")
    expect(page.get_by_label("queue_size")).to_have_count(0)
    page.get_by_label("bcl_variant").select_option("D")
    page.get_by_label("Sampler").select_option("none")
    page.get_by_label("match_steps").select_option("true")
    page.get_by_label("Epochs", exact=True).fill("3")
    page.get_by_label("Name").fill("matched")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="matched")).to_be_visible()
    job_id = page.url.rsplit("/", 1)[1]
    service.client.post(f"/api/v1/jobs/{job_id}/cancel")
    config = service.client.get(f"/api/v1/jobs/{job_id}").json()["config"]
    wanted = {"framework": "bcl", "bcl_variant": "D", "sampler": "none", "match_steps": True, "epochs": 3}
    assert {key: config[key] for key in wanted} == wanted
    assert "queue_size" not in config
    page.goto("/jobs?framework=bcl")
    expect(page.locator("tr[data-job]")).to_have_count(1)
    expect(page.get_by_role("link", name="matched")).to_be_visible()


def test_a_refused_job_says_what_to_change_beside_the_field(page: Page, job: dict[str, Any]) -> None:
    page.goto("/jobs/new")
    page.get_by_text("Further settings").click()
    page.get_by_label("Configuration as JSON").fill('{"sample_budget": 1000000}')
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_contain_text("/config/sample_budget")
    page.get_by_label("Configuration as JSON").fill("")
    page.get_by_label("Seed").fill("3000000000")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("[data-pointer='/config/seed']")).to_be_visible()
    assert page.url.endswith("/jobs/new")


def test_the_data_set_shows_its_long_tail(page: Page, service: Stack, job: dict[str, Any]) -> None:
    dataset = service.client.get(f"/api/v1/datasets/{job['dataset_id']}").json()
    page.goto("/datasets")
    page.get_by_role("link", name=dataset["name"]).click()
    expect(page.locator("rect[data-class]")).to_have_count(len(dataset["class_counts"]))
    counts = page.locator("rect[data-class]").evaluate_all("bars => bars.map(bar => +bar.dataset.count)")
    assert counts == sorted(dataset["class_counts"], reverse=True)
    page.get_by_label("Class", exact=True).select_option("9")
    expect(page.get_by_role("group", name="Images of 9").locator("img")).to_have_count(dataset["class_counts"][9])


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_a_file_is_uploaded_and_registered_or_its_problem_shown(page: Page, service: Stack) -> None:
    images = np.arange(12 * 16 * 16, dtype=np.uint8).reshape(12, 16, 16)

    page.goto("/pools")
    page.get_by_label("Name").fill("twelve")
    expect(page.get_by_label("File", exact=True)).to_have_attribute("accept", "")  # those of MNIST have no ending
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "a b.npz", "mimeType": "", "buffer": npz(images=images)}
    )
    page.get_by_label("Image size").fill("")
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.locator("h1 ~ [data-status=ready]")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("group", name="Images of the pool").locator("img")).to_have_count(12)
    expect(page.locator("[data-fact='Image size']")).to_have_text("16 px")

    wrong = npz(images=images.astype(np.float64), labels=np.arange(12) % 2)
    page.goto("/datasets")
    page.get_by_label("Name").fill("wrong")
    tail = page.get_by_label("Long tail", exact=True)
    expect(tail).to_have_value("")  # own images may have a long tail, and are cut only if asked
    page.get_by_label("From", exact=True).select_option("torchvision")
    expect(tail).to_have_value("exp")
    page.get_by_label("From", exact=True).select_option("upload")
    expect(page.get_by_label("File", exact=True)).to_have_attribute("accept", re.compile(r"\.npz.*\.parquet"))
    page.get_by_label("File", exact=True).set_input_files({"name": "wrong.npz", "mimeType": "", "buffer": wrong})
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.locator("h1 ~ [data-status=failed]")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("alert")).to_contain_text("uint8")


def test_the_apis_documentation_needs_no_other_host(page: Page) -> None:
    page.goto("/docs")
    expect(page.get_by_text("/api/v1/datasets", exact=True).first).to_be_visible()


def test_nothing_is_wider_than_a_phone(page: Page, job: dict[str, Any]) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for path in (
        "/jobs",
        "/jobs/new",
        f"/jobs/{job['id']}",
        "/datasets",
        f"/datasets/{job['dataset_id']}",
        "/pools",
        f"/pools/{job['ood_pool_id']}",
        "/workers",
    ):
        page.goto(path, wait_until="networkidle" if path.count("/") == 1 else "load")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        if path == f"/jobs/{job['id']}":
            expect(bars(page)).to_have_count(10)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_an_unknown_address_and_a_job_that_is_gone_say_so(page: Page, job: dict[str, Any]) -> None:
    page.goto("/nothing/here")
    expect(page.get_by_role("heading", name="Nothing here")).to_be_visible()
    page.goto("/jobs/0123456789abcdef")
    expect(page.get_by_role("alert").first).to_contain_text("Not Found")


def test_a_restart_of_the_server_is_survived_and_a_job_is_cancelled_and_resumed(
    page: Page, service: Stack, job: dict[str, Any]
) -> None:
    wanted = {
        "name": "long run",
        "dataset_id": job["dataset_id"],
        "config": {"preset": "digits", "sampler": "none", "width": 8, "epochs": 5000, "checkpoint_interval": 1},
    }
    job_id = service.client.post("/api/v1/jobs", json=wanted).json()["id"]
    page.goto(f"/jobs/{job_id}")
    expect(page.locator("[data-live=live]")).to_be_visible()
    expect(page.locator("[data-fact=Step]")).not_to_have_text("0 of 0", timeout=LONG)

    service.api.kill()
    expect(page.locator("[data-live=reconnecting]")).to_be_visible()
    service.api.start()
    expect(page.locator("[data-live=live]")).to_be_visible(timeout=LONG)
    step = page.locator("[data-fact=Step]").inner_text()
    expect(page.locator("[data-fact=Step]")).not_to_have_text(step)

    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("h1 ~ [data-status=cancelled]")).to_be_visible(timeout=LONG)
    expect(page.locator("[data-live=ended]")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("[data-live=live]")).to_be_visible()

    # The list keeps up by itself too.
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page.locator(f"tr[data-job='{job_id}'] [data-status=running]")).to_be_visible(timeout=LONG)
    page.get_by_role("link", name="long run").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("h1 ~ [data-status=cancelled]")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="browser run")).to_be_visible()
    expect(page.get_by_role("link", name="long run")).to_have_count(0)


def test_a_job_is_annotated_found_by_name_and_trained_on_from_its_checkpoint(
    page: Page, service: Stack, job: dict[str, Any]
) -> None:
    page.goto(f"/jobs/{job['id']}")
    page.get_by_role("button", name="Edit name, tags and notes").click()
    notes = page.locator("#notes")
    notes.get_by_label("Tags").fill("paper, seed 0")
    notes.get_by_label("Notes").fill("Why: the tail.\nNext: more epochs.")
    page.get_by_role("button", name="Save").click()
    expect(notes).to_contain_text("Next: more epochs.")
    shown = service.client.get(f"/api/v1/jobs/{job['id']}").json()
    assert (shown["tags"], shown["notes"]) == (["paper", "seed 0"], "Why: the tail.\nNext: more epochs.")

    page.goto("/jobs")
    page.get_by_role("searchbox").fill("BROWSER")
    page.get_by_role("searchbox").press("Enter")
    expect(page.locator("tr[data-job]")).to_have_count(1)
    page.locator("tr[data-job] a").click()

    page.get_by_role("link", name="Train on from this checkpoint").first.click()
    expect(page.get_by_label("Sampler")).to_have_value("colt")
    expect(page.locator("#setting-width")).to_have_value("8")
    page.get_by_label("Epochs", exact=True).fill("2")
    page.get_by_label("Name").fill("further")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="further")).to_be_visible()
    further = page.url.rsplit("/", 1)[1]
    expect(page.locator("h1 ~ [data-status=succeeded]")).to_be_visible(timeout=LONG)
    started = service.client.get(f"/api/v1/jobs/{further}").json()["start_from"]
    assert (started["job_id"], started["epoch"]) == (job["id"], 3)
    expect(page.get_by_text("began with epoch 3 of another job")).to_be_visible()

    # Both pick from one pool, which can be compared.
    query: list[tuple[str, str | int]] = [("job_id", job["id"]), ("job_id", further), ("limit", 18)]
    page.goto(f"/compare?job_id={job['id']}&job_id={further}")
    for part in ("only_first", "shared", "only_second"):
        picks = service.client.get("/api/v1/compare/picks", params=[*query, ("part", part)]).json()
        section = page.locator(f"#picks [data-part={part}]")
        expect(section).to_have_attribute("data-total", str(picks[part]))
        shown = section.locator("[data-pick]").evaluate_all("all => all.map(one => +one.dataset.pick)")
        assert shown == [one["index"] for one in picks["items"]]


def test_images_without_labels_are_registered_shown_and_trained_on(
    page: Page, service: Stack, job: dict[str, Any]
) -> None:
    images = np.arange(40 * 32 * 32, dtype=np.uint8).reshape(40, 32, 32)
    page.goto("/datasets")
    page.get_by_label("Name").fill("scans")
    page.get_by_label("Labels").select_option("no")
    file = {"name": "scans.npz", "mimeType": "application/zip", "buffer": npz(images=images)}
    page.locator("#file").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.get_by_text("Images without labels")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("group", name="Images").locator("img")).to_have_count(40)
    expect(page.locator("rect[data-class]")).to_have_count(0)

    page.get_by_role("link", name="New job with this data set").click()
    expect(page.get_by_label("Evaluate on")).to_have_value(job["dataset_id"])
    page.get_by_label("Sampler").select_option("none")
    page.get_by_label("Epochs", exact=True).fill("1")
    page.get_by_label("Name").fill("on scans")
    page.get_by_text("Further settings").click()
    page.get_by_label("Configuration as JSON").fill('{"width": 8, "batch_size": 20}')
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("h1 ~ [data-status=succeeded]")).to_be_visible(timeout=LONG)
    expect(bars(page)).to_have_count(10)  # of the data set that it was evaluated on
    expect(page.locator("#analyses [data-kind=uniformity]")).to_be_visible()
    expect(page.locator("#analyses [data-kind=tail_share]")).to_have_count(0)

    scans = page.url.rsplit("/", 1)[1]
    # Of two data sets, the form takes neither by itself.
    page.goto("/jobs/new")
    expect(page.get_by_label("Data set", exact=True)).to_have_value("")
    page.get_by_role("button", name="Submit").click()
    assert page.url.endswith("/jobs/new")
    watch = Watch(page)
    page.goto(f"/jobs/{scans}?metric=epoch_loss")  # of one point: an axis without a width
    expect(page.locator("#curves .u-legend")).to_contain_text("epoch loss")
    assert watch.errors == []

    page.goto(f"/compare?job_id={scans}&job_id={job['id']}")
    page.get_by_role("link", name="What it picked").click()  # of the one run that picks
    expect(page.locator("#ood")).to_be_in_viewport()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("strips", [True, False])
def test_everything_lies_below_a_path_behind_a_proxy(
    browser: Browser, service: Stack, job: dict[str, Any], strips: bool
) -> None:
    port, name = free_port(), f"below-a-path-{strips}"
    env = {**service.env, "COLT_PORT": str(port), "COLT_ROOT_PATH": "/lab/colt"}
    api = Process(name, [sys.executable, "-m", "api"], env=env, folder=service.folder)
    api.start()
    with proxying(port, "/lab/colt", strips=strips) as proxy, Client(f"{proxy.url}/lab/colt") as client:
        wait_until(lambda: answers(port), 120, "the service answers")
        config = {**job["config"], "epochs": 2}
        runs = client.jobs.submit(job["dataset_id"], ood_pool=job["ood_pool_id"], name="below a path", config=config)
        context = browser.new_context()
        page = context.new_page()
        watch = Watch(page)
        page.goto(f"{proxy.url}/lab/colt/")
        page.get_by_role("link", name="below a path").click()
        assert page.url == runs.url
        expect(page.locator("h1 ~ [data-status=succeeded]")).to_be_visible(timeout=LONG)
        expect(page.locator("[data-live=ended]")).to_be_visible()
        picked = page.locator("#ood [data-picks] img").first
        picked.scroll_into_view_if_needed()
        wait_until(lambda: picked.evaluate("image => image.naturalWidth") > 0, 120, "an image is shown")
        page.reload()
        expect(page.get_by_role("heading", name="below a path")).to_be_visible()
        page.get_by_role("link", name="Guide").click()
        expect(page).to_have_url(f"{proxy.url}/lab/colt/guide/index.html")
        page.go_back()
        expect(page.get_by_role("heading", name="below a path")).to_be_visible()
        page.go_back()
        expect(page).to_have_url(re.compile("/lab/colt/(jobs)?$"))
        page.get_by_role("link", name="API", exact=True).click()
        expect(page.locator(".opblock").first).to_be_visible()
        context.close()
        runs.delete()
        assert (watch.foreign, watch.errors) == ([], [])
        assert (proxy.outside, proxy.failed) == ([], [])
    api.send(15)
    assert api.wait(60) is not None
