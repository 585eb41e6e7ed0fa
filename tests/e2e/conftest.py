"""A real Chromium on a real service. A page that asks another host for anything, or logs an error,
fails its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.stack import Stack, StartStack
from tests.support.watch import Watch

# Without these Chromium itself talks to its maker's servers.
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

PATIENCE = 40_000  # milliseconds; the machine may be busy with other tests
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def service(start_module_stack: StartStack) -> Stack:
    """One embedded service for the module's tests."""
    return start_module_stack("embedded")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, service: Stack) -> Iterator[Page]:
    """A fresh page with the dashboard's address as its base."""
    context = browser.new_context(base_url=service.url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    watch = Watch(page)
    yield page
    context.close()
    assert watch.foreign == []
    assert watch.errors == []
