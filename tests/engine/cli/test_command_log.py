"""What the command line adds to the log of actions."""

from __future__ import annotations

from pathlib import Path

import pytest

from bsd_engine.cli.main import main
from bsd_engine.files import action_log
from tests.support.fake_run import fake_run

TRAIN = ("train", "--preset", "smoke", "--device", "cpu", "--limit", "200", "--iterations", "1", "--t3", "7")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the dashboard shows."""
    monkeypatch.setenv("BSD_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_a_start_and_an_export_are_logged_with_time_and_user(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TRAIN, "--out", str(runs / "mine")]) == 0
    assert main(["suspects", str(runs / "mine"), "--out", str(tmp_path / "s.csv")]) == 0
    entries = action_log.read(runs)
    assert [(e["action"], e["run"]) for e in entries] == [("start", "mine"), ("export", "mine")]
    assert all(e["user"] and e["time"] for e in entries) and entries[1]["file"] == str(tmp_path / "s.csv")


def test_what_does_not_start_is_not_logged(runs: Path) -> None:
    assert main([*TRAIN, "--target", "99", "--out", str(runs / "mine")]) == 2
    assert action_log.read(runs) == []


def test_nothing_is_written_beside_a_run_elsewhere(runs: Path, tmp_path: Path) -> None:
    run = fake_run(tmp_path / "downloads", epochs=20, samples=60, run_id="theirs")
    assert main(["report", str(run), "--out", str(tmp_path / "r.html")]) == 0
    assert [p.name for p in run.parent.iterdir()] == ["theirs"] and not runs.exists()


def test_a_log_that_cannot_be_written_is_a_warning(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = fake_run(runs, epochs=20, samples=60, run_id="mine")
    (runs / action_log.FILE).mkdir()
    assert main(["report", str(run), "--out", str(tmp_path / "r.html")]) == 0
    assert "warning: The action was carried out, but" in capsys.readouterr().err
