"""The guide in a real browser, under the service's content security policy.

`page` fails where a script is refused, or another host is asked for something.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.processes import REPOSITORY
from tests.support.stack import Stack, StartStack

PAGES = sorted(path.stem for path in (REPOSITORY / "docs").glob("*.md"))


@pytest.fixture(scope="module")
def service(start_module_stack: StartStack) -> Stack:
    return start_module_stack("embedded", workers=0)


def test_the_dashboard_leads_to_it_and_it_is_searched_without_a_network(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Guide").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("the guide")
    page.get_by_role("searchbox").or_(page.get_by_placeholder("Search")).first.fill("reconciler")
    page.keyboard.press("Enter")
    expect(page.locator("ul.search").get_by_role("link", name="Glossary").first).to_be_visible()


def test_the_chosen_colours_stay(page: Page) -> None:
    page.goto("/guide/glossary.html")
    assert page.evaluate("document.body.dataset.theme") == "auto"
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.reload()
    assert page.evaluate("document.body.dataset.theme") == "dark"


def test_every_page_is_there_and_in_the_navigation(page: Page) -> None:
    page.goto("/guide")
    links = page.locator(".sidebar-tree a.reference").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    assert sorted(re.sub(r"\.html$", "", link) for link in links) == sorted(set(PAGES) - {"index"})
    for name in PAGES:
        page.goto(f"/guide/{name}.html")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.locator("article a[href^='../']").count() == 0
