"""The dashboard as a process of its own, for tests that ask, load or kill it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 120.0
TOKEN = "the-token-of-the-tests"
RUN = "20260101-000000-abcdef"
"""The run of the tests' server."""


def cookie(port: int, token: str = TOKEN) -> str:
    """The header of a browser that has opened the address with the token once; empty if the server gave no cookie."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", f"/?token={quote(token)}")
        answer = connection.getresponse()
        answer.read()
        return (answer.getheader("Set-Cookie") or "").partition(";")[0]
    finally:
        connection.close()


class Dashboard:
    """`streamlit run streamlit_app.py` on a free port, with its runs in a folder."""

    def __init__(self, runs: Path, log: Path, env: Mapping[str, str] | None = None) -> None:
        self.runs, self.log = runs, log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = f"--server.port {self.port} --server.headless true"
        command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", *options.split()]
        with log.open("ab") as file:
            variables = {**os.environ, "BSD_RUNS": str(runs), "BSD_TOKEN": TOKEN, **(env or {})}
            self.process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=file, stderr=file)
        self._wait()

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def entry(self) -> str:
        """The address that a browser opens first."""
        return f"{self.url}/?token={TOKEN}"

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._healthy():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"the dashboard did not start:\n{self.log.read_text()}")
            time.sleep(0.1)

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/_stcore/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self.process.wait(10)
