"""What pages add to the log of actions, and that a log that cannot be written stops no action."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.server.noting import noted_export
from app.server.registry import RunRegistry
from bsd_engine.config.presets import preset
from bsd_engine.errors import RunFolderError
from bsd_engine.files import action_log
from tests.support.fake_run import LiveFakeRun
from tests.support.page.failing_runs import fail_when_told
from tests.support.page.pages import WHOLE_APP, ran
from tests.support.page.waiting import wait_for

SCRIPT = WHOLE_APP


def actions(root: Path) -> list[tuple[str, str]]:
    return [(entry["action"], entry["run"]) for entry in action_log.read(root)]


def test_commands_are_logged_and_refused_ones_are_not(root: Path) -> None:
    runs = RunRegistry(root)
    with LiveFakeRun(root, epochs=38, seconds=0.2, samples=60) as live:
        for command in ("pause", "resume", "stop"):
            runs.command(live.path.name, command)
        wait_for((live.path / "summary.json").exists)
    with pytest.raises(RunFolderError):
        runs.command(live.path.name, "pause")
    assert actions(root) == [(command, live.path.name) for command in ("pause", "resume", "stop")]


def test_a_start_is_logged_with_the_session_of_the_page(
    open_page: Callable[..., AppTest], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = fail_when_told(monkeypatch)
    page = open_page()
    page.button(key="start").click()
    page = ran(page)
    go_on.set()
    (entry,) = action_log.read(root)
    assert entry["action"] == "start" and len(entry["session"]) == 8 and entry["user"]


def test_a_start_that_fails_at_once_is_not_logged(root: Path) -> None:
    with pytest.raises(Exception, match="nowhere"):
        RunRegistry(root).start(preset("smoke").with_settings(data=f"folder:{root}/nowhere"))
    assert actions(root) == []


def test_an_export_is_logged_when_it_is_made(root: Path) -> None:
    made = noted_export(root, "20260101-000000-abcdef", "report.html", lambda: b"content")
    assert actions(root) == []
    assert made() == b"content"
    (entry,) = action_log.read(root)
    assert (entry["action"], entry["file"]) == ("export", "report.html")


def test_a_log_that_cannot_be_written_is_a_warning(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / action_log.FILE).mkdir()
    assert noted_export(root, "a", "b", lambda: "content")() == "content"
    assert "cannot be written" in caplog.text
