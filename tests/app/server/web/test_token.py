"""The token: nothing but the health check answers without it, the address loses it, and one setting switches it off."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from app.server.web.gate import Gate
from app.server.web.token import Token, token_of_environment
from bsd_engine.errors import ConfigError
from tests.support.page.dashboard import RUN, TOKEN, Dashboard, cookie
from tests.support.page.page_socket import PageSocket
from tests.support.page.requests import ask, upgrade

PATHS = [
    "/",
    "/run",
    f"/run?run={RUN}",
    "/app/static/plotly.min.js",
    "/static/index.html",
    "/media/0.png",
    "/_stcore/host-config",
    "/_stcore/bidi-components/x/index.js",
    "/component/x/index.html",
    "/_stcore/health/",
    "/_stcore/healthy",
    "/run/_stcore/health",
    "/./_stcore/health",
    "//_stcore/health",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("given", ["", "bsd_token_{port}=wrong", "bsd_token_1={value}", "bsd_token_{port}=" + TOKEN])
def test_nothing_is_served_without_the_cookie(server: Dashboard, path: str, given: str) -> None:
    """No cookie, a wrong one, the cookie of a server on another port, the token in place of the cookie."""
    value = cookie(server.port).partition("=")[2]
    answer = ask(server.port, "GET", path, {"Cookie": given.format(port=server.port, value=value)})
    assert answer.status == 403 and b"needs its token" in answer.body
    assert RUN.encode() not in answer.body.replace(f'value="{RUN}"'.encode(), b"")


def test_the_health_check_needs_no_token(server: Dashboard) -> None:
    answer = ask(server.port, "GET", "/_stcore/health")
    assert answer.status == 200 and answer.headers["x-frame-options"] == "DENY"


def test_websocket_and_upload_need_the_cookie(server: Dashboard) -> None:
    own = f"127.0.0.1:{server.port}"
    assert upgrade(server.port, own, f"http://{own}") == 403
    assert upgrade(server.port, own, None, f"bsd_token_{server.port}=wrong") == 403
    assert upgrade(server.port, own, None, cookie(server.port)) == 101
    assert ask(server.port, "PUT", "/_stcore/upload_file/a/b", body=b"x").status == 403
    assert ask(server.port, "POST", "/", body=b"token=" + TOKEN.encode()).status == 403


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/?token={token}", "/"),
        ("/run?run=a%20b&token={token}&epoch=3", "/run?run=a%20b&epoch=3"),
        ("/tune?epoch=1&epoch=2&token={token}", "/tune?epoch=1&epoch=2"),
        ("//evil.test/?token={token}", "/evil.test/"),
        ("/%5cevil.test/?token={token}", "/%5cevil.test/"),
        ("/?token=http%3A%2F%2Flocalhost%3A8501%2F%3Ftoken%3D{token}", "/"),
    ],
)
def test_the_token_becomes_a_cookie_and_leaves_the_address(server: Dashboard, path: str, target: str) -> None:
    answer = ask(server.port, "GET", path.format(token=TOKEN))
    assert answer.status == 303 and answer.headers["location"] == target
    given = answer.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(given.split("; ")) and TOKEN not in given
    assert given.startswith(f"bsd_token_{server.port}=")
    assert ask(server.port, "GET", "/", {"Cookie": given.split(";")[0]}).status == 200


def test_a_second_cookie_of_that_name_does_no_harm(server: Dashboard) -> None:
    """Any other server on this machine can set one."""
    both = f"bsd_token_{server.port}=other; {cookie(server.port)}; bsd_token_{server.port}=another"
    assert ask(server.port, "GET", "/", {"Cookie": both}).status == 200


@pytest.mark.parametrize("given", ["wrong", "", TOKEN[:-1], TOKEN.upper(), "%ff%00", "a" * 5000])
def test_a_wrong_token_is_refused_with_a_form_that_keeps_the_address(server: Dashboard, given: str) -> None:
    answer = ask(server.port, "GET", f"/run?run={RUN}&note=%22%3E%3Cscript%3E&token={given}")
    body = answer.body.decode()
    assert answer.status == 403 and "That is not the token" in body and "set-cookie" not in answer.headers
    assert f'<input type="hidden" name="run" value="{RUN}">' in body and "<script" not in body


def test_with_the_cookie_an_old_token_is_dropped_from_the_address(server: Dashboard) -> None:
    answer = ask(server.port, "GET", f"/run?token=old&run={RUN}", {"Cookie": cookie(server.port)})
    assert (answer.status, answer.headers["location"]) == (303, f"/run?run={RUN}")


def test_a_link_on_another_site_opens_the_page_again_by_itself(server: Dashboard) -> None:
    """The browser holds a strict cookie back when it follows such a link, and sends it when our own page asks."""
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    answer = ask(server.port, "GET", f"/run?run={RUN}", link)
    assert answer.status == 403 and b'http-equiv="refresh"' in answer.body
    assert b"needs its token" in ask(server.port, "GET", f"/run?run={RUN}", {"Sec-Fetch-Site": "same-origin"}).body


def test_the_terminal_shows_a_new_token_at_each_start(tmp_path: Path) -> None:
    """Without BSD_TOKEN. The token is in the address to open, at no other place, and it opens the page."""
    shown = []
    for start in range(2):
        log = tmp_path / f"log{start}"
        with Dashboard(tmp_path / "runs", log, {"BSD_TOKEN": ""}) as server:
            (token,) = re.findall(rf"http://localhost:{server.port}/\?token=([\w-]{{20,}})\s", log.read_text())
            assert ask(server.port, "GET", "/", {"Cookie": cookie(server.port, token)}).status == 200
            assert ask(server.port, "GET", "/?token=wrong").status == 403
        text = log.read_text()
        assert text.count(token) == 1 and text.count("http://") == 1, text
        shown.append(token)
    assert shown[0] != shown[1]


def test_one_setting_switches_the_token_off(tmp_path: Path) -> None:
    with Dashboard(tmp_path / "runs", tmp_path / "log", {"BSD_TOKEN": "off"}) as server:
        assert ask(server.port, "GET", "/").status == 200
        assert ask(server.port, "GET", "/?token=old&epoch=1").headers["location"] == "/?epoch=1"
        assert ask(server.port, "GET", "/", {"Origin": "http://evil.test"}).status == 403
        assert ask(server.port, "GET", "/_stcore/metrics").status == 404
        with PageSocket(server.port) as page:
            page.rerun()
    assert "everyone on this machine can open it" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("text", ["abc", "two words", "a&b=c", "ünïcode", "x" * 201])
def test_a_token_that_an_address_would_change_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("BSD_TOKEN", text)
    with pytest.raises(ConfigError, match="expected 4 to 200 letters") as refused:
        token_of_environment()
    assert text not in str(refused.value)


@pytest.mark.parametrize(("text", "chosen"), [("mytoken", "mytoken"), (" OFF ", None)])
def test_the_environment_chooses_the_token(monkeypatch: pytest.MonkeyPatch, text: str, chosen: str | None) -> None:
    monkeypatch.setenv("BSD_TOKEN", text)
    token = token_of_environment()
    assert (token and token.text) == chosen


def test_the_word_for_the_browser_that_the_server_opens_works_once() -> None:
    token = Token("the token")
    word = token.once()
    assert not token.opens("") and not token.opens("None")
    assert token.opens(word) and not token.opens(word) and token.opens("the token")


def test_the_cookie_is_secure_where_the_page_is() -> None:
    """Over https the cookie is kept from http, and the default port has a name of its own."""
    sent: list[dict[str, Any]] = []

    async def app(*_: Any) -> None:
        raise AssertionError("the request passed")

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "scheme": "https", "path": "/", "raw_path": b"/"}
    scope |= {"query_string": b"token=mytoken", "headers": [(b"host", b"localhost")]}
    asyncio.run(Gate(app, Token("mytoken"))(scope, receive, send))
    headers = dict(sent[0]["headers"])
    assert b"Secure" in headers[b"set-cookie"] and headers[b"set-cookie"].startswith(b"bsd_token_443=")
