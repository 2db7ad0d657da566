"""The command `bsd`: the engine's commands, the app's own, and the dashboard with the project's server settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from app import command
from app.server import home
from bsd_engine.cli.main import COMMANDS as ENGINE_COMMANDS


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    assert listed == [*ENGINE_COMMANDS, *command.COMMANDS]
    assert lines[0].startswith("usage: bsd COMMAND")


def test_a_word_that_is_no_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["dashbord"]) == 2
    assert "there is no command 'dashbord'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["replay", "figure", "dashboard"])
def test_the_apps_commands_explain_themselves(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        command.main([name, "--help"])
    assert end.value.code == 0 and "usage:" in capsys.readouterr().out


def test_a_replay_of_a_run_that_does_not_exist_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["replay", str(tmp_path / "absent"), "--out", str(tmp_path / "replay.html")]) == 2
    assert "is not a run folder" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "runs"), [(["--runs", "mine"], "mine"), ([], "runs")])
def test_the_dashboard_starts_from_its_home_with_the_runs_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], runs: str
) -> None:
    started: list[list[str]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BSD_RUNS", "")  # so that what the command sets is taken back
    monkeypatch.setattr(os, "execv", lambda program, arguments: started.append(arguments))
    command.main(["dashboard", *words, "--port", "8765", "--server.headless", "true"])
    script = str(home.home() / "streamlit_app.py")
    expected = ["-P", "-m", "streamlit", "run", script, "--server.port", "8765", "--server.headless", "true"]
    assert started == [[sys.executable, *expected]]
    assert Path(script).with_name(".streamlit").joinpath("config.toml").is_file()
    assert os.environ["BSD_RUNS"] == str(tmp_path / runs)


def test_an_installed_package_copies_its_home_below_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried = tmp_path / "_home"
    (carried / ".streamlit").mkdir(parents=True)
    (carried / ".streamlit/config.toml").write_text("[server]\n")
    (carried / "streamlit_app.py").write_text("pass\n")
    monkeypatch.setattr(home, "CARRIED", carried)
    monkeypatch.setenv("BSD_DATA", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    folder = home.prepare_home()
    assert folder.parent == tmp_path / "cache" and (folder / "static").is_dir()
    assert (folder / ".streamlit/config.toml").read_text() == "[server]\n"
    assert home.shipped() == carried and home.default_runs() == tmp_path / "runs"
