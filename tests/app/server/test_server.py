"""The real server: only this machine reaches it, uploads are bounded, no user data is static."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from tests.support.page.dashboard import RUN, Dashboard, cookie
from tests.support.page.page_socket import PageSocket
from tests.support.page.requests import ask

ROOT = Path(__file__).resolve().parents[3]


# --- who can reach it ---


def test_it_listens_to_this_machine_alone(server: Dashboard) -> None:
    """Every socket that listens on its port is bound to 127.0.0.1."""
    table = Path("/proc/net/tcp")
    if not table.exists():
        pytest.skip("no /proc/net/tcp on this system")
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    listening = [
        row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == server.port
    ]
    assert listening == ["0100007F"]


# --- uploads ---


def xsrf_token(server: Dashboard) -> str:
    """What a page has to send along with an upload."""
    given = ask(server.port, "GET", "/_stcore/health").headers["set-cookie"]
    return given.split(";")[0].partition("=")[2]


def upload(server: Dashboard, *, token: bool, body: bytes | None = None) -> int:
    """Status of an upload to a session that does not exist."""
    xsrf = xsrf_token(server)
    headers = {"Cookie": f"_streamlit_xsrf={xsrf}; {cookie(server.port)}", "X-Xsrftoken": xsrf} if token else {}
    headers.setdefault("Cookie", cookie(server.port))
    return ask(server.port, "PUT", "/_stcore/upload_file/nobody/file", headers, body or b"x").status


def test_an_upload_needs_the_token_and_a_session(server: Dashboard) -> None:
    assert upload(server, token=False) == 403
    assert upload(server, token=True) == 400


def rest_of_upload(port: int, session: str, token: str, megabytes: int) -> tuple[int, int]:
    """Status of an upload without a Content-Length, and how many megabytes the server took before it answered."""
    head = (
        f"PUT /_stcore/upload_file/{session}/file HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Cookie: _streamlit_xsrf={token}; {cookie(port)}\r\nX-Xsrftoken: {token}\r\n"
        "Content-Type: multipart/form-data; boundary=line\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    start = b'--line\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\n\r\n'
    parts = [start, *[bytes(10**6)] * megabytes, b"\r\n--line--\r\n", b""]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode())
        sent = 0
        try:
            for part in parts:
                connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                sent += len(part) // 10**6
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server refused the rest
        try:
            answer = connection.recv(4096)
        except ConnectionResetError:
            return 413, sent
    return int(answer.split(b" ", 2)[1]), sent


def test_an_upload_is_measured_by_the_bytes_that_arrive(server: Dashboard) -> None:
    """Without a Content-Length, an upload of 70 MB is cut off, and a picture of 1 MB is accepted."""
    token = xsrf_token(server)
    with PageSocket(server.port) as page:
        page.rerun()
        assert rest_of_upload(server.port, page.session_id, token, 1)[0] == 204
        status, _ = rest_of_upload(server.port, page.session_id, token, 70)
        assert status == 413
        page.rerun()


@pytest.mark.parametrize(
    "query",
    [
        "run=../../etc",
        "run=%00",
        "run=" + "a" * 5000,
        "run=<script>alert(1)</script>",
        f"run={RUN}&truth=maybe",
        "truth=%ff&run=%2e%2e",
        "epoch=1e99&sel=AAAA",
        "&&&==&",
        f"run={RUN}&run=x",
    ],
)
def test_no_address_ends_in_an_exception(server: Dashboard, query: str) -> None:
    with PageSocket(server.port, query) as page:
        page.rerun()
        assert page.run_id == RUN


# --- files ---


@pytest.mark.parametrize(
    "path",
    [
        "/app/static/../streamlit_app.py",
        "/app/static/..%2fstreamlit_app.py",
        "/app/static/%2e%2e/app/server/registry.py",
        "/app/static//etc/passwd",
        "/app/static/..%5cstreamlit_app.py",
        f"/app/static/../runs/{RUN}/config.json",
        f"/app/static/{RUN}/config.json",
        f"/runs/{RUN}/config.json",
        "/media/../../etc/passwd",
        "/component/../../etc/passwd",
        "/_stcore/bidi-components/../../etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_static_folder(server: Dashboard, path: str) -> None:
    answer = ask(server.port, "GET", path, {"Cookie": cookie(server.port)})
    served = answer.body if answer.status == 200 else b""
    assert b"import streamlit" not in served and b"root:" not in served and b"format_version" not in served


def test_the_static_folder_holds_scripts_alone(server: Dashboard) -> None:
    assert {p.name for p in (ROOT / "static").rglob("*")} <= {".gitkeep", "plotly.min.js", "tune.js", "bench.js"}


def test_the_configuration_has_the_settings_that_these_tests_rely_on() -> None:
    text = (ROOT / ".streamlit/config.toml").read_text()
    for line in (
        'address = "127.0.0.1"',
        "enableCORS = true",
        "enableXsrfProtection = true",
        "maxUploadSize = 50",
        "gatherUsageStats = false",
    ):
        assert re.search(f"^{re.escape(line)}", text, re.MULTILINE), line
    found = re.search(r"^allowedHosts = (\[.*?\])", text, re.MULTILINE)
    assert found is not None and json.loads(found[1]) == ["localhost", "127.0.0.1"]
    assert re.search(r"^allowedOrigins = \[\]", text, re.MULTILINE)
