"""Links and file names on the README and the pages lead somewhere; the README links every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "RESULTS.md"]


def links(page: Path) -> list[str]:
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8"))
    found = [child.attrs for token in tokens for child in token.children or []]
    return [str(link) for attrs in found for link in (attrs.get("href"), attrs.get("src")) if link]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in links(page):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


ROOMS = "api|benchmarks|cli|colt_core|examples|frontend|store|tests|tools|worker"
FILES = re.compile(rf"`((?:{ROOMS})/[\w./-]+)`")


# The files of extending.md are those that its reader writes.
@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "extending.md"], ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    named = set(FILES.findall(page.read_text("utf-8"))) - {"api/dashboard/"}  # built, not in the checkout
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_readme_links_every_page() -> None:
    linked = {(ROOT / link).resolve() for link in links(ROOT / "README.md") if not link.startswith("http")}
    assert set(PAGES[1:]) <= linked


def test_links_are_found() -> None:
    assert len(links(ROOT / "README.md")) > 10
    assert "one-machine" in anchors(ROOT / "docs" / "operate.md")
    assert "worker/supervisor.py" in FILES.findall((ROOT / "docs" / "how-it-works.md").read_text("utf-8"))
