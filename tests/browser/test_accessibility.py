"""No page has a serious or critical finding of axe-core: with and without a run, light and dark, and offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.replay.page import replay_page
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import fake_run

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")

from tests.browser.accessibility import findings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
RUN = "20260101-000000-whole"
BACKGROUND = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def pages_of(page: Any) -> list[str]:
    """Paths of all pages of the navigation."""
    links = page.locator("[data-testid=stTopNavLink]")
    links.first.wait_for()
    paths = [urlsplit(link.get_attribute("href")).path for link in links.all()]
    assert len(paths) == (ROOT / "streamlit_app.py").read_text().count("st.Page("), "a page is not in the navigation"
    return paths


def settled(page: Any) -> None:
    """Wait until the page's script has run, its views are drawn, and nothing more comes."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=90_000)
    page.wait_for_function(
        """() => !document.querySelector('[data-testid=stSkeleton]')
        && [...document.querySelectorAll('.tn')]
          .every(tn => tn.dataset.shown || !tn.app || !tn.app.model.info.length)""",
        timeout=90_000,
    )
    page.wait_for_timeout(1500)


def looked_at(page: Any, url: str, schemes: tuple[str, ...]) -> list[str]:
    """Findings of a page in some themes. It is reopened for each, as the server draws some figures for one theme."""
    found, backgrounds = [], set()
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        page.goto(url)
        settled(page)
        backgrounds.add(page.evaluate(BACKGROUND))
        found += [f"{scheme}: {line}" for line in findings(page)]
    assert len(backgrounds) == len(schemes), "the theme did not change"
    return found


@pytest.mark.parametrize(
    ("shown", "schemes"), [("", ("light",)), (RUN, ("light", "dark"))], ids=["no run yet, so a recording", "a run"]
)
def test_no_page_has_a_serious_finding(
    server: Any, visit: Callable, runs: Path, shown: str, schemes: tuple[str, ...]
) -> None:
    if shown == RUN:
        fake_run(runs, run_id=RUN, epochs=38, maps=True)
    page = visit(server.url, width=1440, height=900, expect_errors=True)
    found = []
    for path in pages_of(page):
        found += looked_at(page, server.url + path + (f"?run={shown}&epoch=13" if shown else ""), schemes)
    assert found == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_offline_page_has_no_serious_finding(browser: Any, tmp_path: Path, dark: bool) -> None:
    file = tmp_path / "replay.html"
    file.write_bytes(replay_page(RunReader(fake_run(tmp_path, run_id=RUN, epochs=38))))
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=60000)
    page.get_by_text("About this page").click()
    page.wait_for_timeout(500)
    found = findings(page)
    context.close()
    assert found == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_that_asks_for_the_token_has_no_serious_finding(browser: Any, server: Any, dark: bool) -> None:
    context = browser.new_context(color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.goto(f"{server.url}/?token=wrong")
    found = findings(page)
    context.close()
    assert found == []
