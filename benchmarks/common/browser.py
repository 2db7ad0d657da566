"""Headless Chromium for pages of the dashboard or of a file, and a server of the dashboard."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.page.dashboard import TOKEN, Dashboard

LINKED_VIEWS = "document.querySelector('.tn').app"
"""The app of the linked views, in the page's JavaScript."""
SCRUB = """async epoch => {
  const root = document.querySelector('.tn'), range = root.querySelector('.tn-epoch'), begin = performance.now()
  range.value = epoch + 1
  range.dispatchEvent(new Event('input'))
  while (+root.dataset.shown !== epoch || root.app.todo) await new Promise(requestAnimationFrame)
  return performance.now() - begin
}"""
"""Goes to an epoch by the range input; returns the milliseconds until it is drawn."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a new browser with software rendering."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@contextmanager
def served(runs: Path) -> Iterator[str]:
    """Yield the address of a new server of the dashboard with the run folders below `runs`."""
    with tempfile.TemporaryDirectory() as folder, Dashboard(runs, Path(folder) / "log") as server:
        yield server.url


def new_page(browser: Browser, url: str, **options: Any) -> Page:
    """Return an empty page in a new context that has the cookie of the server at an address."""
    context = browser.new_context(**options)
    context.request.get(urljoin(url, f"/?token={TOKEN}"))
    return context.new_page()


def wait_for_columns(page: Page) -> None:
    """Wait until the linked views have the columns of every epoch."""
    page.wait_for_function(
        f"() => {{ const m = {LINKED_VIEWS}.model; return m.info.every((_, e) => m.has(e)) }}", timeout=90000
    )
