"""Start and end of the server: what the terminal shows, what the browser opens, and a training that ends with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from streamlit import cli_util, config

from app.server.web import serve
from app.server.web.token import Token
from bsd_engine.errors import ConfigError
from tests.support.page.dashboard import Dashboard
from tests.support.page.page_socket import PageSocket


def epoch_within(runs: Path, seconds: float) -> bool:
    """Whether a run has its first epoch in that time."""
    deadline = time.monotonic() + seconds
    while not any(runs.glob("*/epochs/00000.npz")) and time.monotonic() < deadline:
        time.sleep(0.2)
    return any(runs.glob("*/epochs/00000.npz"))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the server opens in a browser, on a machine with a display."""
    addresses: list[str] = []
    options = {"server.headless": False, "browser.serverAddress": "localhost"}
    original = config.get_option
    monkeypatch.setattr(config, "get_option", lambda name: options.get(name, original(name)))
    monkeypatch.setattr(cli_util, "open_browser", addresses.append)
    return addresses


def test_the_browser_that_is_opened_gets_a_word_of_its_own(
    opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Other users see the arguments of a process, but not what the terminal shows."""
    token = Token("the-token")
    serve.announce(token)
    assert re.search(r"Open the dashboard:  http://localhost:\d+/\?token=the-token\n", capsys.readouterr().out)
    (address,) = opened
    word = address.partition("/?token=")[2]
    assert "the-token" not in address and token.opens(word) and not token.opens(word)


def test_without_a_token_the_address_is_bare(opened: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    serve.announce(None)
    assert "token=" not in opened[0] + capsys.readouterr().out


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_a_server_of_this_machine_alone_may_do_without_a_token(address: str) -> None:
    serve.check_local(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", None, "", "192.168.1.2", "example.org"])
def test_a_server_that_others_reach_may_not(address: str | None) -> None:
    with pytest.raises(ConfigError, match=r"expected 127\.0\.0\.1"):
        serve.check_local(address)


@pytest.mark.slow
def test_a_server_that_is_told_to_end_stops_its_training_first(tmp_path: Path) -> None:
    """The signal that ends it must not end it at once: the run would look like one that was killed."""
    with Dashboard(tmp_path / "runs", tmp_path / "log") as server:
        with PageSocket(server.port) as page:
            page.rerun()
            page.rerun(choose=("Preset", "demo"))
            page.rerun(press="Start")
            assert epoch_within(server.runs, 120)
        server.process.terminate()
        assert server.process.wait(60) == 0
    (run,) = (path.parent for path in server.runs.glob("*/config.json"))
    assert '"status": "stopped"' in (run / "summary.json").read_text()
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_without_a_token_only_this_machine_is_served(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[4]
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.address", "0.0.0.0"]
    done = subprocess.run(
        [*command, "--server.port", "0", "--server.headless", "true"],
        cwd=root, env={**os.environ, "BSD_TOKEN": "off"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr.startswith("BSD_TOKEN=off was given for a server at 0.0.0.0, expected")
