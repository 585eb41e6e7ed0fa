"""Links and file names on the README and the pages lead somewhere; the README and the guide link
every page; messages that are quoted exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "CHANGELOG.md",
    ROOT / "benchmarks" / "RESULTS.md",
]
DOCS = set((ROOT / "docs").glob("*.md"))


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


def test_every_plot_has_pictures_and_every_picture_is_shown() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page) if link.endswith(".png")}
    assert shown == set((ROOT / "docs" / "pictures").iterdir())
    assert sum(picture.stat().st_size for picture in shown) < 1_200_000  # the guide is part of the wheel
    _, *plots = (ROOT / "docs" / "read-the-plots.md").read_text("utf-8").split("\n### ")
    assert [plot for plot in plots if not re.search(r"!\[[^\]]{20,}\]\(pictures/", plot)] == []


ROOMS = "api|benchmarks|cli|colt_core|examples|frontend|store|tests|tools|worker"
FILES = re.compile(rf"`((?:{ROOMS})/[\w./-]+)`")


# The files of extending.md are those that its reader writes.
@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "extending.md"], ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    named = set(FILES.findall(page.read_text("utf-8"))) - {"api/dashboard/", "api/guide/"}  # built, not in the checkout
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_readme_links_every_page() -> None:
    linked = {(ROOT / link).resolve() for link in links(ROOT / "README.md") if not link.startswith("http")}
    assert set(PAGES[1:]) - {ROOT / "CHANGELOG.md"} <= linked


def test_the_first_page_of_the_guide_links_every_other() -> None:
    linked = [(ROOT / "docs" / link).resolve() for link in links(ROOT / "docs" / "index.md")]
    assert sorted(linked) == sorted(DOCS - {ROOT / "docs" / "index.md"})


def messages() -> list[str]:
    text = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def test_every_message_of_the_troubleshooting_page_is_in_the_code() -> None:
    rooms = ("api", "cli", "client", "colt_core", "store", "worker")
    code = "\n".join(path.read_text("utf-8") for room in rooms for path in (ROOT / room).rglob("*.py"))
    parts = [part.strip() for message in messages() for part in message.split("…")]
    assert len(parts) > 15
    assert [part for part in parts if part not in code] == []


def test_links_are_found() -> None:
    assert len(links(ROOT / "README.md")) > 10
    assert "one-machine" in anchors(ROOT / "docs" / "operate.md")
    assert "worker/supervisor.py" in FILES.findall((ROOT / "docs" / "how-it-works.md").read_text("utf-8"))


# Where the commands and scripts of each page are run.
RUN_BY = {
    "README.md": "test_readme.py",
    "air-gapped.md": "test_bundle.py",
    "command-line.md": "test_command_line.py",
    "did-it-help.md": "test_readme.py",
    "exports.md": "test_python_client.py",
    "extending.md": "colt_core/test_extending_page.py",
    "jobs-and-settings.md": "test_backbones.py",
    "library.md": "colt_core/test_library_page.py",
    "operate.md": "../unit/worker/test_webhook.py",
    "python-client.md": "test_python_client.py",
    "rest-by-example.md": "test_readme.py",
    "results.md": "test_readme.py",
    "your-data.md": "test_readme.py",
}


def test_a_test_runs_the_blocks_of_each_page() -> None:
    pages = [ROOT / "README.md", *DOCS]
    runnable = {page.name for page in pages if re.search(r"^```(bash|python)$", page.read_text("utf-8"), re.MULTILINE)}
    assert runnable == RUN_BY.keys()
    for page, name in RUN_BY.items():
        test = ROOT / "tests" / "integration" / name
        assert page in test.read_text("utf-8")
