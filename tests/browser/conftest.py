"""Shared fixtures of browser tests: a Streamlit server on a free port, a Chromium, and pages that record complaints.

    def test_it(serve, visit):
        server = serve("streamlit_app.py", cwd=ROOT)
        page = visit(server.url)
        page.get_by_role("button", name="Start").click()

A page fails its test if the browser logged an error or sent a request anywhere but to 127.0.0.1. Where Chromium or
playwright is missing the tests are skipped, with the reason.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from bsd_engine.config.presets import smoke
from tests.support.page.dashboard import TOKEN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM_ARGS = [
    "--no-sandbox",  # containers run tests as root
    "--disable-gpu",  # WebGL falls back to software, so scattergl is tested too
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 60.0


@dataclass
class Server:
    """One `streamlit run`."""

    script: Path
    cwd: Path
    env: Mapping[str, str]
    args: Sequence[str]
    log: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the app, without a final slash."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, on the same port if it ran before, and wait until it is healthy."""
        self.port = self.port or _free_port()
        options = {
            "server.headless": "true",
            "server.address": "127.0.0.1",
            "server.port": str(self.port),
            "server.fileWatcherType": "none",
            "browser.gatherUsageStats": "false",
        }
        command = [sys.executable, "-m", "streamlit", "run", str(self.script)]
        command += [part for name, value in options.items() for part in (f"--{name}", value)] + list(self.args)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.cwd,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_healthy()

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.1)
        self.stop()
        pytest.fail(f"the server of {self.script} did not start within {START_SECONDS:g} s:\n{self.log.read_text()}")

    def stop(self, *, kill: bool = False) -> None:
        """End the process, regularly or, with `kill`, like a crash."""
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
            self.process = None


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """`serve(script_path, cwd=ROOT, env={}, args=())`: a running `Server`, stopped when the module's tests are done.

    The settings of `cwd`/.streamlit/config.toml apply; `args` are further options of `streamlit run`. The repository
    is importable from the script.
    """
    servers: list[Server] = []

    def start(
        script_path: Path | str,
        *,
        cwd: Path | str = ROOT,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
    ) -> Server:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        server = Server(
            script=(Path(cwd) / script_path).resolve(),
            cwd=Path(cwd),
            args=args,
            env={"PYTHONPATH": os.pathsep.join(paths), "BSD_TOKEN": TOKEN, **(env or {})},
            log=tmp_path_factory.mktemp("server") / "log.txt",
        )
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the server's runs. A module that needs runs from the start overrides this fixture."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], runs: Path) -> Server:
    """The dashboard itself."""
    return serve("streamlit_app.py", env={"BSD_RUNS": str(runs)})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium. One per module: while playwright runs, its thread has a running event loop."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH")
    with (
        sync_api.sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=CHROMIUM_ARGS) as chromium,
    ):
        yield chromium


# Opened at /run, Streamlit's page looks for its server at /run/_stcore first, finds nothing, and finds it at /_stcore.
_OVERTAKEN = "Bad delta path index"
"""Streamlit's page says so of an element of a run of the script that another one has overtaken, and draws the newer one
(streamlit#3788); it is seen in one of hundreds of page loads. What a page must show, each test asks for itself."""
_ASKED_BELOW_THE_PAGE = re.compile(r"^http://[^/]+/[^/]+/_stcore/(health|host-config)$")


@dataclass
class Complaints:
    """The errors and the forbidden requests of one page."""

    console_errors: list[str] = field(default_factory=list)
    foreign_requests: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Start collecting."""
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.console_errors.append(f"uncaught: {error}"))
        page.on("request", lambda request: self._on_request(request.url))
        page.on("websocket", lambda socket: self._on_request(socket.url))

    def _on_console(self, message: ConsoleMessage) -> None:
        if _OVERTAKEN in message.text:
            return
        if message.type == "error" and not _ASKED_BELOW_THE_PAGE.search(message.location.get("url", "")):
            self.console_errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _on_request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "about") and parts.hostname not in ("127.0.0.1", "localhost"):
            self.foreign_requests.append(url)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """`visit(url, width=1280, height=800, dark=False, expect_errors=False, **options)`: a page in its own context.

    `page.complaints` is the page's `Complaints`; at the end of the test it has to be empty (of console errors only
    unless `expect_errors`). The page has loaded the script once when `visit` returns.
    """
    opened: list[tuple[Any, Complaints, bool]] = []

    def open_page(
        url: str,
        *,
        width: int = 1280,
        height: int = 800,
        dark: bool = False,
        expect_errors: bool = False,
        **options: Any,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", **options
        )
        context.set_default_timeout(60_000)  # milliseconds; two cores may be busy with other tests
        context.request.get(f"{urlsplit(url)._replace(path='/', query='').geturl()}?token={TOKEN}")  # for the cookie
        page = context.new_page()
        page.complaints = complaints = Complaints()  # type: ignore[attr-defined]
        complaints.watch(page)
        opened.append((context, complaints, expect_errors))
        page.goto(url)
        wait_until_ran(page)
        return page

    yield open_page
    for context, _, _ in opened:
        context.close()
    for _, complaints, expect_errors in opened:
        assert complaints.foreign_requests == []
        assert expect_errors or complaints.console_errors == []


def wait_until_ran(page: Page, timeout: float = 60.0) -> None:
    """Wait (s) until the script run in progress is over; with a `run_every` fragment wait for content instead."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=1000 * timeout)


def until(condition: Callable[[], Any], what: str | Callable[[], str], seconds: float = 90.0) -> Any:
    """The first true value of a condition. If it comes too late, the test fails with the name of the condition."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    pytest.fail(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")


def choose(page: Page, field: str, option: str) -> None:
    """Choose an option from a list of the form."""
    page.get_by_role("combobox", name=field, exact=True).click()
    page.get_by_role("option", name=option).click()


def choose_smoke(page: Page) -> None:
    """Choose the preset that takes seconds, and wait until the form has its settings."""
    choose(page, "Preset", "smoke")
    until(
        lambda: page.get_by_role("slider", name="T1").input_value() == str(smoke().schedule.t1),
        "the preset's warm-up in the form",
    )


def drag_cut(page: Page, name: str, dx: float, dy: float) -> None:
    """Drag one of the two cut lines of the linked views, "alpha" or "beta", by some pixels."""
    box = page.locator(f".tn-cut-{name}").bounding_box()
    assert box is not None
    x, y = box["x"] + (8 if name == "alpha" else 160), box["y"] + (25 if name == "alpha" else 8)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=8)
    page.mouse.up()
