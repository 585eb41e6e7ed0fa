"""What the dashboard's pages cost, measured in a real browser on a run of 44,000 steps, 1,000
classes and 76 rounds.

Every figure is printed (`pytest -s`). Bytes, requests and layout shifts are asserted. Times are
not: they depend on what else the machine does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect
from sqlalchemy import select

from api.main import create_app
from store.database import reading, writing
from store.models import Analysis, Checkpoint, Dataset, Evaluation, Job
from store.repositories import events, recording
from tests.support.axe import violations
from tests.support.large_run import CLASSES, EPOCHS, ROUNDS, STEPS, large_run
from tests.support.results import Rows
from tests.support.serving import serving
from tests.support.settings import service_settings
from tests.support.watch import LONG, Watch

# Collected before the first script of the page.
OBSERVE = "window.seen = {cls: 0, shifts: [], longest: 0};"
OBSERVE += """
new PerformanceObserver(list => list.getEntries().forEach(({value, sources, hadRecentInput}) => {
  if (hadRecentInput) return;
  seen.cls += value;
  seen.shifts.push([value, ...sources.map(({node}) => node?.outerHTML?.slice(0, 90))]);
})).observe({type: 'layout-shift', buffered: true});
"""
OBSERVE += """
new PerformanceObserver(list => list.getEntries().forEach(({duration}) => {
  seen.longest = Math.max(seen.longest, duration);
})).observe({type: 'longtask', buffered: true});
"""


class Wire:
    """Bytes on the wire and requests of a page, by the browser's own count."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        self.requests: Counter[str] = Counter()
        self.cdp: CDPSession = page.context.new_cdp_session(page)
        self.cdp.send("Network.enable")
        self.cdp.on("Network.loadingFinished", lambda event: self._add(event["encodedDataLength"]))
        self.cdp.on("Network.requestWillBeSent", lambda event: self._ask(event["request"]))

    def _add(self, size: float) -> None:
        self.bytes += int(size)

    def _ask(self, request: dict[str, Any]) -> None:
        url = urlsplit(request["url"])
        if url.scheme == "http":
            self.requests[f"{request['method']} {url.path}?{url.query}"] += 1


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, module_database: str) -> Iterator[tuple[str, Job]]:
    """The address of a service, and the finished run in it."""
    with service_settings(tmp_path_factory.mktemp("large"), module_database):
        job = large_run(Rows())
        with serving(create_app()) as client:
            yield str(client.base_url), job


@pytest.fixture(scope="module")
def module_database(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Any) -> str:
    file = tmp_path_factory.mktemp("database") / "colt.db"
    file.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{file}"


@pytest.fixture
def open_page(browser: Browser, large: tuple[str, Job]) -> Iterator[Page]:
    context = browser.new_context(base_url=large[0], viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(OBSERVE)
    watch = Watch(page)
    yield page
    context.close()
    assert watch.foreign == []
    assert watch.errors == []


def told(page: Page, wire: Wire, what: str) -> dict[str, Any]:
    seen: dict[str, Any] = page.evaluate("({...seen, ready: performance.now(), height: document.body.scrollHeight})")
    figures = {key: round(value, 3) for key, value in seen.items() if key != "shifts"}
    print(f"\n{what}: {json.dumps({'bytes': wire.bytes, 'requests': wire.requests.total(), **figures})}")
    return seen


def test_the_first_load_is_small(open_page: Page) -> None:
    wire = Wire(open_page)
    open_page.goto("/", wait_until="networkidle")
    expect(open_page.locator("tr[data-job]")).to_have_count(1)
    seen = told(open_page, wire, "first load")
    assert wire.bytes < 110_000
    assert seen["cls"] < 0.05, seen["shifts"]


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_the_page_of_a_large_job_is_small_and_asks_once(
    open_page: Page, large: tuple[str, Job], size: tuple[int, int]
) -> None:
    open_page.set_viewport_size({"width": size[0], "height": size[1]})
    wire = Wire(open_page)
    open_page.goto(f"/jobs/{large[1].id}")
    expect(open_page.locator("#accuracy rect[data-class]")).to_have_count(CLASSES, timeout=LONG)
    expect(open_page.locator("tr[data-round]")).to_have_count(ROUNDS)
    told(open_page, wire, f"large job at {size[0]} px, drawn")
    open_page.wait_for_load_state("networkidle")
    seen = told(open_page, wire, f"large job at {size[0]} px, at rest")
    assert wire.bytes < 300_000
    assert seen["cls"] < 0.05, seen["shifts"]
    twice = {request: times for request, times in wire.requests.items() if times > 1 and "/image" not in request}
    assert not twice
    assert not any("/events" in request for request in wire.requests)  # the job is over: nothing is to come
    for scheme in ("light", "dark"):
        open_page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert violations(open_page) == []


def test_an_open_page_of_a_running_job_loads_new_points_alone(open_page: Page, large: tuple[str, Job]) -> None:
    with writing() as session:
        session.get_one(Job, large[1].id).status = "running"
    wire = Wire(open_page)
    open_page.goto(f"/jobs/{large[1].id}")
    expect(open_page.locator("[data-live=live]")).to_be_visible()
    for late in ("tr[data-cluster] [data-few]", "#ood [data-ood]", "#profile", "#log pre"):
        expect(open_page.locator(late).first).to_be_visible()
    open_page.wait_for_timeout(1000)
    wire.bytes = 0
    wire.requests.clear()
    told_bytes = 0
    for number in range(1, 5):  # a run of this length reports six times a minute
        step = STEPS + 22 * number
        values = {
            "loss": 3.0 + number / 7,
            "contrastive_loss": 3.0,
            "distribution_loss": 0.1,
            "epoch_loss": 3.0 - number / 9,
        }
        progress = {"epoch": EPOCHS + number, "epochs": 2 * EPOCHS, "step": step, "steps": 2 * STEPS}
        with writing() as session:
            recording.add_metrics(session, large[1].id, [(name, step, value) for name, value in values.items()])
            events.append(session, large[1].id, "progress", progress)
            events.append(session, large[1].id, "metric", {"step": step, "values": values})
        told_bytes += len(json.dumps(progress)) + len(json.dumps(values)) + 120
        expect(open_page.locator("[data-fact=Epoch]")).to_have_text(f"{EPOCHS + number} of {2 * EPOCHS}")
        expect(open_page.locator("[data-fact=Loss]")).to_have_text(f"{3.0 - number / 9:.3f}")
        open_page.wait_for_timeout(1500)
    told(open_page, wire, f"running job, four reports ({told_bytes} bytes of events beside these)")
    asked = [request for request in wire.requests if "/metrics" in request]
    assert asked
    assert all("after_step=" in request and "after_step=-1" not in request for request in asked)
    others = [request for request in wire.requests if request not in asked]
    assert all("/profile" in request for request in others), others
    assert (wire.bytes + told_bytes) * 6 / 4 < 40_000


MAPPED = 50_000


@pytest.fixture(scope="module")
def mapped(large: tuple[str, Job]) -> str:
    """A finished map of as many images as one may have. Its images are the few that are stored."""
    random, job = np.random.default_rng(0), large[1]
    label = random.integers(0, CLASSES, MAPPED)
    centre = random.normal(0, 30, (CLASSES, 2))[label] + random.normal(0, 2, (MAPPED, 2))
    result = {
        "kind": "feature_map",
        "index": (np.arange(MAPPED) % 10).tolist(),
        "x": centre[:, 0].round(3).tolist(),
        "y": centre[:, 1].round(3).tolist(),
        "label": label.tolist(),
        "tailness": random.normal(-0.5, 0.1, MAPPED).round(4).tolist(),
        "cluster": random.integers(0, 10, MAPPED).tolist(),
        "error": (random.integers(0, 11, MAPPED) / 10).tolist(),
    }
    with writing() as session:
        (checkpoint_id,) = session.scalars(select(Checkpoint.id).where(Checkpoint.job_id == job.id))
        settings = {"kind": "feature_map", "method": "pca", "num_samples": MAPPED}
        row = Analysis(job_id=job.id, checkpoint_id=checkpoint_id, kind="feature_map", config=settings, epoch=EPOCHS)
        row.status, row.result = "succeeded", result
        session.add(row)
    return f"/jobs/{job.id}?analysis=feature_map#analyses"


def test_a_map_of_50_000_images_is_one_canvas_that_answers_the_pointer(open_page: Page, mapped: str) -> None:
    wire = Wire(open_page)
    open_page.goto(mapped)
    canvas = open_page.locator(f"canvas[data-marks='{MAPPED}']")
    expect(canvas).to_be_visible(timeout=LONG)
    for late in ("#ood [data-ood]", "#profile", "#log pre"):  # what could still move it
        expect(open_page.locator(late).first).to_be_visible()
    told(open_page, wire, f"map of {MAPPED:,} images")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    open_page.evaluate("seen.longest = 0")
    for step in range(60):
        open_page.mouse.move(x + step, y)
    expect(open_page.locator("#analyses p.detail")).to_contain_text("Training image")
    told(open_page, wire, "the pointer over it")
    open_page.evaluate("seen.longest = 0")
    open_page.locator("#analyses").get_by_role("combobox", name="Colour").select_option("error")
    expect(open_page.locator("#analyses .keys")).to_contain_text("50 % of its neighbours")
    told(open_page, wire, "in other colours")

    # A line around the whole map chooses every image.
    open_page.evaluate("seen.longest = 0")
    corners = [(1, 1), (box["width"] - 2, 1), (box["width"] - 2, box["height"] - 2), (1, box["height"] - 2)]
    open_page.mouse.move(box["x"] + 1, box["y"] + 1)
    open_page.mouse.down()
    for dx, dy in [*corners, (1, 5)]:
        open_page.mouse.move(box["x"] + dx, box["y"] + dy, steps=4)
    open_page.mouse.up()
    chosen = open_page.locator("#analyses [data-chosen]")
    expect(chosen).to_have_attribute("data-chosen", str(MAPPED))
    expect(chosen.locator("img")).to_have_count(48)
    told(open_page, wire, "a line around all of them")
    chosen.get_by_role("button", name="Clear").click()
    # The keyboard reaches a mark, and chooses those around it.
    canvas.focus()
    for key in ("Home", "ArrowRight", "Enter"):
        open_page.keyboard.press(key)
    expect(chosen).to_have_attribute("data-chosen", "24")
    assert violations(open_page) == []


@pytest.fixture(scope="module")
def eight(large: tuple[str, Job]) -> str:
    """The comparison of the large run with seven others of 1,000 classes and short curves."""
    job, rows, ids = large[1], Rows(), [large[1].id]
    with reading() as session:
        dataset = session.get_one(Dataset, job.dataset_id)
        (first,) = session.scalars(select(Evaluation).where(Evaluation.job_id == job.id))
    for seed in range(1, 8):
        other = rows.job(dataset, name=f"seed {seed}", config=job.config | {"seed": seed}, step=STEPS, steps=STEPS)
        rows.metric(other, "epoch_loss", np.linspace(7, 3, 500).tolist())
        checkpoint = rows.checkpoint(other, EPOCHS)
        accuracy = np.roll(first.per_class_accuracy or [], seed)
        with writing() as session:
            session.add(
                Evaluation(
                    **{name: getattr(first, name) for name in (*Evaluation.FOUND, "kind", "status", "epoch", "config")}
                    | {"per_class_accuracy": accuracy.tolist()},
                    job_id=other.id,
                    checkpoint_id=checkpoint.id,
                )
            )
        ids.append(other.id)
    return "/compare?" + "&".join(f"job_id={one}" for one in ids)


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_a_comparison_of_eight_runs_of_1_000_classes_is_measured(
    open_page: Page, eight: str, size: tuple[int, int]
) -> None:
    open_page.set_viewport_size({"width": size[0], "height": size[1]})
    wire = Wire(open_page)
    open_page.goto(eight)
    expect(open_page.get_by_role("heading", name="Compare 8 jobs")).to_be_visible()
    expect(open_page.locator("#classes canvas")).to_be_visible(timeout=LONG)
    open_page.wait_for_load_state("networkidle")
    seen = told(open_page, wire, f"comparison of 8 runs x {CLASSES:,} classes at {size[0]} px")
    assert open_page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert wire.bytes < 900_000
    assert seen["cls"] < 0.05, seen["shifts"]


# Leave a page by a link of the dashboard, as a reader does: the document stays.
GO = "path => { const link = document.createElement('a'); link.href = path; document.body.append(link);"
GO += " link.click(); link.remove(); }"


def test_pages_that_were_left_leave_nothing_in_memory(open_page: Page, large: tuple[str, Job], eight: str) -> None:
    """A shortened stand-in for half an hour of work: five pages, opened and left eight times."""
    job = large[1]
    pages = (
        ("/jobs", "tr[data-job]"),
        (f"/jobs/{job.id}", "#ood [data-ood]"),
        (eight, "#classes canvas"),
        (f"/datasets/{job.dataset_id}", "rect[data-class]"),
        ("/experiments/new", "form"),
    )
    open_page.goto("/")
    cdp = open_page.context.new_cdp_session(open_page)
    cdp.send("Performance.enable")
    heap: list[int] = []
    nodes: list[int] = []
    for _ in range(8):
        for path, ready in pages:
            open_page.evaluate(GO, path)
            open_page.evaluate("scrollTo(0, document.body.scrollHeight)")
            expect(open_page.locator(ready).first).to_be_visible(timeout=LONG)
        open_page.wait_for_load_state("networkidle")
        cdp.send("HeapProfiler.collectGarbage")
        found = {one["name"]: int(one["value"]) for one in cdp.send("Performance.getMetrics")["metrics"]}
        heap.append(found["JSHeapUsedSize"])
        nodes.append(found["Nodes"])
    print(f"\nheap after each turn, kB: {[size // 1000 for size in heap]}; nodes: {nodes}")
    # The first turns load the pages' code and fill caches of a fixed size.
    assert heap[-1] < 1.1 * max(heap[1:3]) + 500_000, heap
    assert nodes[-1] < 1.1 * max(nodes[1:3]) + 200, nodes
