"""A real Chromium on a real service. A page that asks another host for anything, or logs an error, fails its test."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from tests.conftest import StartStack
from tests.services.stack import Stack

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

PATIENCE = 20_000  # milliseconds; the machine may be busy with other tests
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


class Watch:
    """What a page did that it must not."""

    def __init__(self, page: Page) -> None:
        self.foreign: list[str] = []
        self.errors: list[str] = []
        page.on("request", self._request)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self._console(message.type, message.text))

    def _request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in {"blob", "data"} and url.hostname != "127.0.0.1":
            self.foreign.append(request.url)

    def _console(self, kind: str, text: str) -> None:
        # Chromium itself notes every answer that is an error; the page shows those, and the tests look there.
        if kind in {"error", "warning"} and not text.startswith("Failed to load resource"):
            self.errors.append(text)


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
