"""Nothing leaves the machine: a browser and a server whose every way out is a proxy that notes what passes.

The browser sends all but the dashboard's own address through the proxy, loopback included. The server finds it in its
environment, where the libraries for HTTP look.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import CHROMIUM, CHROMIUM_ARGS, Server, wait_until_ran
from tests.support.origins import own_copy
from tests.support.page.dashboard import TOKEN
from tests.support.page.logging_proxy import LoggingProxy

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

RUN = "20260101-000000-abcdef"
OF_CHROMIUM = {"accounts.google.com", "clients2.google.com", "content-autofill.googleapis.com", "update.googleapis.com"}
"""Hosts that Chromium asks on its own, with an empty page and `CHROMIUM_ARGS`; the proxy refuses them as well."""
DRAWN = """() => [...document.querySelectorAll('.live-plot-chart')].every(c => c.querySelector('.main-svg'))
  && [...document.querySelectorAll('.tn')].every(tn => tn.dataset.shown)"""
DOWNLOADS = "[data-testid=stDownloadButton] button:visible"


@pytest.fixture(scope="module")
def server_proxy() -> Iterator[LoggingProxy]:
    with LoggingProxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def browser_proxy() -> Iterator[LoggingProxy]:
    with LoggingProxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def server(
    serve: Callable[..., Server],
    tmp_path_factory: pytest.TempPathFactory,
    recorded_run: Path,
    server_proxy: LoggingProxy,
) -> Server:
    """The dashboard with one run; its environment names the proxy for everything."""
    root = tmp_path_factory.mktemp("runs")
    own_copy(recorded_run, root / RUN)
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    proxies = {name: server_proxy.url for upper in names for name in (upper, upper.lower())}
    return serve("streamlit_app.py", env={"BSD_RUNS": str(root), "NO_PROXY": "", "no_proxy": "", **proxies})


@pytest.fixture(scope="module")
def chromium(server: Server, browser_proxy: LoggingProxy) -> Iterator[Any]:
    """A Chromium that reaches nothing but the dashboard without the proxy."""
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH")
    way = [
        f"--proxy-server={browser_proxy.url}",
        f"--proxy-bypass-list=<-loopback>;127.0.0.1:{server.port}",  # else all of loopback would go past it
    ]
    with (
        sync_api.sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=[*CHROMIUM_ARGS, *way]) as started,
    ):
        yield started


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A new tab: one whose address was refused would go on to Chromium's own page of errors."""
    with chromium.new_page(viewport={"width": 1440, "height": 900}) as page:
        page.set_default_timeout(60_000)
        yield page


def test_the_proxies_note_what_passes(page: Any, browser_proxy: LoggingProxy, server_proxy: LoggingProxy) -> None:
    """Without this, an empty log would say nothing."""
    for address in ("http://elsewhere.test/", "http://127.0.0.1:8099/", "https://elsewhere.test/"):
        with pytest.raises(sync_api.Error):
            page.goto(address)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": server_proxy.url}))
    with pytest.raises(urllib.error.HTTPError, match="403"):
        opener.open("http://elsewhere.test/", timeout=20)
    wanted = ["http://elsewhere.test/", "http://127.0.0.1:8099/", "elsewhere.test:443"]
    assert [address for address in addresses(browser_proxy) if address != "elsewhere.test:80"][:3] == wanted
    assert addresses(server_proxy) == ["http://elsewhere.test/"]
    browser_proxy.asked.clear()
    server_proxy.asked.clear()


@pytest.mark.slow
def test_a_walk_over_all_pages_sends_nothing(
    page: Any, server: Server, browser_proxy: LoggingProxy, server_proxy: LoggingProxy, tmp_path: Path
) -> None:
    """Every page, every download, and the offline page."""
    browser_proxy.asked.clear()
    server_proxy.asked.clear()
    page.goto(f"{server.url}/run?run={RUN}&token={TOKEN}")
    settled(page)
    links = page.locator("[data-testid=stTopNavLink]")
    saved: dict[str, Path] = {}
    for name in links.all_inner_texts():
        page.get_by_role("link", name=name, exact=True).first.click()
        page.wait_for_timeout(300)  # until the script of the page has begun
        settled(page)
        if name == "Audit":
            page.get_by_text("Downloads", exact=True).click()
            page.locator(".st-key-downloads").wait_for()
            settled(page)
        saved |= downloaded(page, tmp_path)
        assert page.locator("[data-testid=stException]").count() == 0, name
    assert {"cleaned.zip", "report.html", "suspects.csv", "suspects.parquet", "clean_index.txt"} <= set(saved)
    assert {"main_model.safetensors", "poisoned.npz", f"{RUN}.html"} <= set(saved)
    for file in ("report.html", f"{RUN}.html"):
        page.goto(saved[file].as_uri())
        page.wait_for_timeout(1500)
    assert page.locator(".tn").get_attribute("data-shown")
    assert addresses(browser_proxy) == []
    assert addresses(server_proxy) == []


def addresses(proxy: LoggingProxy) -> list[str]:
    """What the proxy was asked for, each address once, without what Chromium asks on its own."""
    asked = dict.fromkeys(line.split()[1] for line in proxy.asked)
    return [address for address in asked if not OF_CHROMIUM & {address.split(":")[0], urlsplit(address).hostname}]


def settled(page: Any) -> None:
    """Wait until the script has run and all views are drawn."""
    wait_until_ran(page)
    page.wait_for_function(DRAWN, timeout=60_000)
    page.wait_for_timeout(700)


def downloaded(page: Any, folder: Path) -> dict[str, Path]:
    """Press every button that saves a file; returns the files by their names."""
    saved = {}
    for button in page.locator(DOWNLOADS).all():
        with page.expect_download() as download:
            button.click()
        name = download.value.suggested_filename
        saved[name] = folder / name
        download.value.save_as(folder / name)
    return saved
