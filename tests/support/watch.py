"""A browser page under observation."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import Page, Request

# Milliseconds that a page waits for work of the service. A busy machine takes long.
LONG = 180_000


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
        # Chromium itself notes every answer that is an error; the page shows those, and the tests
        # look there.
        if kind in {"error", "warning"} and not text.startswith("Failed to load resource"):
            self.errors.append(text)
