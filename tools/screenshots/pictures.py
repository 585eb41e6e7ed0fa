"""What each picture of the guide shows, and how it is taken."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import FloatRect, Page, expect

from tools.screenshots.demo import ANALYSES, BESIDE, Demo

WIDTH = 1000  # CSS pixels
HEIGHT = 9000  # taller than every page, since images outside the window are not loaded
COLORS = 96  # a palette this small shows no difference
MARGIN = 8
PLOT = ":is(.plot, .line-plot)"
PATIENCE = 120_000  # milliseconds; the machine may be slow

READY = """() => document.fonts.status === 'loaded' && [...document.images].every(image => image.complete)
    && ![...document.querySelectorAll('[role=status]')].some(status => status.textContent.includes('Loading'))"""


@dataclass(frozen=True)
class Picture:
    """One file of docs/pictures.

    Attributes:
        name: of the file, without its ending.
        address: of the page.
        parts: selectors; the picture is the least rectangle around their first matches.
        most: its height in CSS pixels, at most.
    """

    name: str
    address: str
    parts: tuple[str, ...] = ("#app",)
    most: int = HEIGHT


def pictures(demo: Demo) -> list[Picture]:
    """All pictures, in the order of the pages."""
    job = f"/jobs/{demo.colt[0]}"
    compare = "/compare?" + urlencode([("job_id", id) for id in (*demo.without, *demo.colt)])
    both = "/compare?" + urlencode([("job_id", id) for id in demo.colt])
    return [
        Picture("jobs", "/jobs"),
        Picture("classes", f"/datasets/{demo.dataset}", ("[aria-label='Training images by class'] header", "main svg")),
        Picture("pool-check", f"/pools/{demo.pool}", ("#check",), most=712),
        Picture("dashboard", job, most=1250),
        Picture("accuracy-by-class", job, ("#accuracy > header", "#accuracy svg")),
        Picture("groups", job, ("#accuracy dl",)),
        Picture("accuracy-over-epochs", job, ("#epochs",)),
        Picture("curves", job, ("#curves",)),
        Picture("time", job, ("#profile",)),
        Picture("rounds", job, ("#rounds > header", "#rounds .rounds")),
        Picture("clusters", job, ("#rounds h3", "#rounds h3 ~ .scroll-x")),
        Picture("ood-images", job, ("#ood",), most=900),
        Picture("pool-tailness", f"{job}?view=all", ("#ood .plot",)),
        Picture("ood-image", f"{job}?image={demo.image}", ("dialog[open] .inside",)),
        Picture("tailness", job, ("#tailness > header", "#tailness svg")),
        *(
            Picture(kind.replace("_", "-"), f"{job}?analysis={kind}", ("#analyses dl", f"#analyses {PLOT}"))
            for kind in ANALYSES
        ),
        Picture("differences", compare, ("#differences",)),
        Picture("accuracy-of-jobs", compare, ("#accuracy",)),
        Picture("picks-of-two", both, ("#picks",)),
        Picture("analyses-side-by-side", f"{both}&analysis={BESIDE}", ("#analyses",)),
        Picture("experiment", f"/experiments/{demo.experiment}", most=1372),
    ]


def take(page: Page, picture: Picture, folder: Path) -> Path:
    """Open the page, wait until all of it is there, and write the picture as PNG.

    Raises:
        AssertionError: a part is not on the page.
        TimeoutError: the page does not stop loading.
    """
    page.goto(picture.address)
    found = [page.locator(part).first for part in picture.parts]
    for part in found:
        expect(part).to_be_visible(timeout=PATIENCE)
    page.wait_for_load_state("networkidle")
    page.wait_for_function(READY)
    page.wait_for_timeout(500)  # plots are drawn after their numbers arrive
    boxes = [box for part in found if (box := part.bounding_box())]
    left, top = (min(box[side] for box in boxes) - MARGIN for side in ("x", "y"))
    right = max(box["x"] + box["width"] for box in boxes) + MARGIN
    bottom = max(box["y"] + box["height"] for box in boxes) + MARGIN
    left, top, right = max(left, 0), max(top, 0), min(right, WIDTH)
    clip: FloatRect = {"x": left, "y": top, "width": right - left, "height": min(bottom - top, picture.most)}
    path = folder / f"{picture.name}.png"
    with Image.open(BytesIO(page.screenshot(clip=clip, animations="disabled"))) as image:
        image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path
