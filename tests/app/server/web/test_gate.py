"""The gate of the real server: its own page passes, foreign hosts and origins do not, and no name is looked up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.server.web.headers import HEADERS
from tests.support.fake_run import fake_run
from tests.support.page.dashboard import TOKEN, Dashboard, cookie
from tests.support.page.page_socket import PageSocket
from tests.support.page.requests import ask, upgrade

LISTENER = """
import os, sys

NOTED = ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto")

def note(event, arguments):
    if event in NOTED and "127.0.0.1" not in str(arguments) and "/dev/log" not in str(arguments):
        with open(os.environ["NOTED_CALLS"], "a") as file:
            file.write(f"{event} {arguments}\\n")

sys.addaudithook(note)
"""
"""A module that Python loads first: it notes every attempt of the server to reach anything but this machine."""


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the server's attempts to reach something."""
    return tmp_path_factory.mktemp("noted") / "calls"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, noted: Path) -> Iterator[Dashboard]:
    """The dashboard with one run, whose connections and look-ups are noted."""
    folder = tmp_path_factory.mktemp("server")
    fake_run(folder / "runs", epochs=2, samples=60)
    (folder / "hook").mkdir()
    (folder / "hook/sitecustomize.py").write_text(LISTENER)
    noted.touch()
    env = {"PYTHONPATH": str(folder / "hook"), "NOTED_CALLS": str(noted)}
    with Dashboard(folder / "runs", folder / "log", env) as dashboard:
        yield dashboard


FOREIGN = [
    ("evil.test", "http://evil.test"),
    ("evil.test:{port}", "http://evil.test:{port}"),
    ("evil.test", None),
    ("", "http://127.0.0.1:{port}"),
    ("localhost.evil.test", None),
    ("user@127.0.0.1", None),
    ("127.0.0.1:{port}@evil.test", None),
    ("[::1]:{port}", None),
    ("127.0.0.1:99999", None),
    ("127.0.0.1:{port}", "http://evil.test"),
    ("127.0.0.1:{port}", "https://127.0.0.1.evil.test"),
    ("127.0.0.1:{port}", "https://bsd.streamlit.app"),
    ("127.0.0.1:{port}", "https://share.streamlit.io"),
    ("127.0.0.1:{port}", "null"),
    ("127.0.0.1:{port}", ""),
    ("127.0.0.1:{port}", "http://127.0.0.1@evil.test"),
    ("127.0.0.1:{port}", "http://127.0.0.1:{port}@evil.test"),
    ("127.0.0.1:{port}", "http://user@127.0.0.1:{port}"),
    ("127.0.0.1:{port}", "http://127.0.0.1"),
    ("127.0.0.1:{port}", "http://127.0.0.1:8888"),
    ("127.0.0.1:{port}", "http://localhost:{port}"),
    ("localhost:{port}", "http://127.0.0.1:{port}"),
    ("localhost:{port}", "http://localhost:3000"),
    ("localhost:{port}", "http://0.0.0.0:{port}"),
    ("localhost:{port}", "http://[::1]:{port}"),
    ("localhost:{port}", "https://localhost:{port}"),
    ("localhost:{port}", "ws://localhost:{port}"),
    ("localhost:{port}", "file://"),
    ("localhost:{port}", "http://LOCALHOST:{port}"),
    ("localhost:{port}", "http://localhost.:{port}"),
    ("localhost:{port}", "http://localhost:{port}/"),
    ("localhost:{port}", "http://localhost:{port} http://evil.test"),
]
"""Pairs of Host and Origin that no page of the dashboard sends."""


@pytest.mark.parametrize(("host", "origin"), FOREIGN, ids=str)
def test_a_foreign_page_reaches_nothing_even_with_the_cookie(server: Dashboard, host: str, origin: str | None) -> None:
    host, origin = (text and text.format(port=server.port) for text in (host, origin))
    own = cookie(server.port)
    assert upgrade(server.port, host, origin, own) in (400, 403)
    headers = {"Host": host, "Cookie": own} | ({} if origin is None else {"Origin": origin})
    for path in ("/", "/_stcore/health", "/_stcore/host-config", "/app/static/plotly.min.js"):
        assert ask(server.port, "GET", path, headers).status in (400, 403), path


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_our_own_page_passes(server: Dashboard, host: str) -> None:
    own = f"{host}:{server.port}"
    assert upgrade(server.port, own, f"http://{own}", cookie(server.port)) == 101
    headers = {"Host": own, "Origin": f"http://{own}", "Cookie": cookie(server.port)}
    assert ask(server.port, "GET", "/", headers).status == 200


@pytest.mark.parametrize(
    ("site", "mode", "target", "status"),
    [
        ("same-origin", "no-cors", "image", 200),
        ("none", "navigate", "document", 200),
        ("cross-site", "navigate", "document", 200),
        ("same-site", "navigate", "iframe", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("same-site", "no-cors", "image", 403),
        ("same-site", "no-cors", "script", 403),
        ("cross-site", "websocket", "empty", 403),
    ],
)
def test_another_page_cannot_load_a_part_of_ours(
    server: Dashboard, site: str, mode: str, target: str, status: int
) -> None:
    """A picture, a script or a frame is asked for without an origin, but the browser says whose page asks."""
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": target}
    assert ask(server.port, "GET", "/", {**headers, "Cookie": cookie(server.port)}).status == status


@pytest.mark.parametrize(
    ("path", "signed_in", "status"),
    [
        ("/", True, 200),
        ("/tune", True, 200),
        ("/", False, 403),
        (f"/?token={TOKEN}", False, 303),
        ("/_stcore/health", False, 200),
        ("/_stcore/host-config", True, 200),
        ("/_stcore/metrics", True, 404),
        ("/media/nothing.png", True, 404),
        ("/app/static/nothing.js", True, 404),
        ("/static/../secret", True, 400),
    ],
)
def test_every_answer_has_the_headers(server: Dashboard, path: str, signed_in: bool, status: int) -> None:
    """No frames, no guessed types, no referrer, and nothing that the page loads comes from elsewhere."""
    answer = ask(server.port, "GET", path, {"Cookie": cookie(server.port)} if signed_in else {})
    assert answer.status == status
    assert {name: answer.headers.get(name.lower()) for name in HEADERS} == HEADERS
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["frame-ancestors"] == "'none'" and answer.headers["x-frame-options"] == "DENY"
    assert not any("http" in sources or "*" in sources for sources in policy.values())
    assert answer.headers["referrer-policy"] == "no-referrer" and answer.headers["x-content-type-options"] == "nosniff"


def test_streamlit_trusts_no_messages_from_other_pages(server: Dashboard) -> None:
    answer = ask(server.port, "GET", "/_stcore/host-config", {"Cookie": cookie(server.port)})
    assert json.loads(answer.body)["allowedOrigins"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/_stcore/metrics",
        "/_stcore/metrics/",
        "/_stcore/metrics?families=active_sessions",
        "/run/_stcore/metrics",
        "/_stcore/%6detrics",
        "/_stcore/script-health-check",
        "/_stcore/agent/interact",
        "/_stcore/agent/openapi.json",
    ],
)
def test_what_tells_about_other_sessions_is_closed(server: Dashboard, path: str) -> None:
    assert ask(server.port, "GET", path, {"Cookie": cookie(server.port)}).status == 404


def test_foreign_sockets_delay_nobody_and_nothing_is_looked_up(server: Dashboard, noted: Path) -> None:
    """Streamlit would ask the internet for this machine's outside address, and answer nobody meanwhile.

    The sockets have the cookie, as those of a page on another port of this machine do.
    """
    own = cookie(server.port)
    origins = [f"http://page-{n}.evil.test" for n in range(9)] + ["https://bsd.streamlit.app"]
    with PageSocket(server.port) as page:
        page.rerun()
        with ThreadPoolExecutor(10) as pool:
            begin = time.monotonic()
            foreign = [pool.submit(upgrade, server.port, f"127.0.0.1:{server.port}", origin, own) for origin in origins]
            assert ask(server.port, "GET", "/", {"Cookie": own}).status == 200
            page.rerun()
            assert time.monotonic() - begin < 10  # the look-up alone took 20 s
            assert {socket.result() for socket in foreign} == {403}
    assert noted.read_text() == ""
