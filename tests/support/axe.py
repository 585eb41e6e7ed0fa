"""Accessibility of a page, as axe-core finds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

SCRIPT = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """() => axe.run().then(({violations}) => violations.map(
    ({id, nodes}) => [id, ...nodes.map(({html, failureSummary}) => `${html.slice(0, 200)} ${failureSummary}`)]))"""


def violations(page: Page) -> list[list[str]]:
    """What axe-core finds wrong with the page as it is now: each rule, and where it is broken."""
    page.evaluate(SCRIPT.read_text("utf-8"))
    found: Any = page.evaluate(_RUN)
    return list(found)
