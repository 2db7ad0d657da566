"""A page elsewhere in the same browser: it can neither frame, load, ask nor message the dashboard, cookie or not."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Server
from tests.support.fake_run import fake_run
from tests.support.page.dashboard import TOKEN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

RUN = "20260101-000000-abcdef"
ATTACK = """async url => {
  const loads = (tag, attribute) => new Promise(done => {
    const element = document.createElement(tag)
    element[attribute] = url + '/app/static/plotly.min.js'
    element.onload = () => done('loaded')
    element.onerror = () => done('refused')
    document.body.append(element)
  })
  const socket = new Promise(done => {
    const it = new WebSocket(url.replace('http', 'ws') + '/_stcore/stream', ['streamlit'])
    it.onopen = () => done('opened')
    it.onerror = () => done('refused')
  })
  const asks = (path, options) => fetch(url + path, options).then(() => 'answered', () => 'refused')
  return {
    script: await loads('script', 'src'),
    socket: await socket,
    read: await asks('/', {credentials: 'include'}),
    config: await asks('/_stcore/host-config', {credentials: 'include'}),
    upload: await asks('/_stcore/upload_file/a/b', {method: 'PUT', body: 'x', credentials: 'include'}),
    blind: await asks('/?run=x', {mode: 'no-cors', credentials: 'include'}),
  }
}"""
"""What a page can try by script; the answer to a request that no script may read is refused by the browser itself."""
MESSAGES = """async opened => {
  const types = ['CLEAR_CACHE', 'RERUN_SCRIPT', 'STOP_SCRIPT', 'CLOSE_MODAL', 'SET_FILE_UPLOAD_CLIENT_CONFIG',
    'REQUEST_PAGE_CHANGE', 'UPDATE_FROM_QUERY_PARAMS', 'UPDATE_HASH', 'SEND_APP_HEARTBEAT', 'SET_AUTH_TOKEN',
    'TERMINATE_WEBSOCKET_CONNECTION', 'RESTART_WEBSOCKET_CONNECTION']
  const rest = {stCommVersion: 1, hash: '#taken', queryParams: 'run=taken', pageScriptHash: 'x', authToken: 'x'}
  for (const type of types) window[opened].postMessage({type, ...rest}, '*')
}"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished run."""
    folder = tmp_path_factory.mktemp("runs")
    fake_run(folder, epochs=3, samples=60, run_id=RUN)
    return folder


@pytest.fixture(scope="module")
def foreign() -> Iterator[str]:
    """The address of an empty page on another port of this machine."""

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title><body>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def context(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """A browser that may use the dashboard."""
    context = browser.new_context()
    context.request.get(f"{server.url}/?token={TOKEN}")
    yield context
    context.close()


def elsewhere(context: BrowserContext, foreign: str) -> Page:
    """The foreign page."""
    page = context.new_page()
    page.goto(foreign)
    return page


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("tag", ["iframe", "embed", "object"])
def test_no_page_can_frame_the_dashboard(
    context: BrowserContext, server: Server, foreign: str, host: str, tag: str
) -> None:
    """With another port of the same host the browser even sends the cookie."""
    page = elsewhere(context, foreign.replace("127.0.0.1", host))
    source = "data" if tag == "object" else "src"
    with page.expect_response(lambda answer: answer.url.startswith(server.url)) as asked:
        page.evaluate(
            f"url => void document.body.append(Object.assign(document.createElement('{tag}'), {{{source}: url}}))",
            f"{server.url}/run?run={RUN}",
        )
    assert asked.value.status == 403
    page.wait_for_timeout(1000)
    shown = [frame.evaluate("() => document.body?.innerText ?? ''") for frame in page.frames]
    assert not any("dashboard" in text for text in shown), shown


def test_our_own_page_can_be_opened_and_a_link_elsewhere_opens_it(
    context: BrowserContext, server: Server, foreign: str
) -> None:
    """The control of these tests. The cookie is a strict one, so the page that a link opens asks for itself again."""
    page = elsewhere(context, foreign.replace("127.0.0.1", "localhost"))
    page.evaluate("url => { location.href = url }", f"{server.url}/run?run={RUN}")
    page.wait_for_selector("[data-testid=stApp]", timeout=60_000)
    assert page.url == f"{server.url}/run?run={RUN}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_page_can_ask_the_server_anything(context: BrowserContext, server: Server, foreign: str, host: str) -> None:
    page = elsewhere(context, foreign.replace("127.0.0.1", host))
    assert set(page.evaluate(ATTACK, server.url).values()) == {"refused"}


@pytest.mark.slow
def test_no_page_can_send_messages_to_the_dashboard(context: BrowserContext, server: Server, foreign: str) -> None:
    """Not even one that opened its window: Streamlit obeys such messages from origins that it trusts."""
    page = elsewhere(context, foreign)
    with context.expect_page() as opened:
        page.evaluate("url => { window.opened = window.open(url) }", f"{server.url}/run?run={RUN}")
    dashboard = opened.value
    sent: list[object] = []
    dashboard.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    dashboard.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)
    dashboard.wait_for_timeout(2000)
    address, before = dashboard.url, len(sent)
    page.evaluate(MESSAGES, "opened")
    dashboard.wait_for_timeout(1500)
    assert dashboard.url == address and len(sent) == before
    assert page.evaluate("() => window.opened.closed"), "the browser has cut the windows apart"
    assert dashboard.evaluate("() => window.opener") is None


def test_the_form_takes_the_token_and_keeps_the_address(browser: Browser, server: Server) -> None:
    """The page without a token shows a form; the token, or the whole address, opens the page that was asked for."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server.url}/run?run={RUN}")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Open the dashboard").click()
    page.get_by_role("alert").wait_for()
    page.get_by_label("Token").fill(f" http://localhost:8501/?token={TOKEN} ")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-testid=stApp]", timeout=60_000)
    assert page.url == f"{server.url}/run?run={RUN}"
    assert page.evaluate("() => document.cookie").find("bsd_token") == -1, "scripts cannot read it"
    context.close()
