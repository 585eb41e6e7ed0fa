"""A server with tokens asks the dashboard's reader for one."""

from __future__ import annotations

import subprocess
import sys

from playwright.sync_api import Page, expect

from tests.support.stack import Stack


def test_a_token_opens_the_dashboard(page: Page, service: Stack) -> None:
    page.goto("/jobs")
    expect(page.get_by_text("Nothing has run yet")).to_be_visible()
    create = [sys.executable, "-m", "cli", "token", "create", "reader"]
    made = subprocess.run(create, env=service.env, cwd=service.folder, capture_output=True, text=True, check=True)
    token = made.stdout.split()[-1]

    page.goto("/jobs")
    prompt = page.get_by_role("form", name="Sign in")
    prompt.get_by_label("Token").fill("wrong")
    prompt.get_by_role("button", name="Sign in").click()
    expect(prompt.get_by_role("alert")).to_contain_text("does not know this token")
    prompt.get_by_label("Token").fill(token)
    prompt.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Nothing has run yet")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Nothing has run yet")).to_be_visible()
    assert token not in page.evaluate("document.cookie")

    page.get_by_role("button", name="Sign out").click()
    expect(prompt).to_be_visible()
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    page.goto("/datasets")
    expect(prompt).to_be_visible()
