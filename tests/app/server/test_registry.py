"""The server's runs: one training at a time, a queue for the others, and errors that are kept."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from app.run.status import look, sentence
from app.server import queue
from app.server.registry import RunRegistry
from bsd_engine.config.presets import preset
from bsd_engine.errors import RunFolderError, TrainingError
from bsd_engine.prepare import prepare as preparation
from bsd_engine.runs import record
from tests.support.fake_run import FakeRun, fake_run
from tests.support.page.failing_runs import fail_when_told
from tests.support.page.waiting import wait_for


def test_the_registry_refuses_names_that_leave_its_folder(tmp_path: Path) -> None:
    runs = RunRegistry(tmp_path / "runs")
    outside = fake_run(tmp_path / "elsewhere", epochs=1)
    runs.root.mkdir()
    (runs.root / "link").symlink_to(outside)
    assert runs.run_ids() == []
    for name in ("link", "..", ".", "", "a/../b", f"../elsewhere/{outside.name}", str(outside), "\0"):
        with pytest.raises(RunFolderError):
            runs.path(name)


def test_one_training_at_a_time_and_its_error_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def failing_run(config: Any, path: Path, **_: Any) -> dict[str, Any]:
        go_on.wait(10)
        raise TrainingError("The main model's loss is nan in epoch 3; lower its learning rate.")

    monkeypatch.setattr(record, "record_run", failing_run)
    monkeypatch.setattr(preparation, "prepare", lambda config: None)
    runs = RunRegistry(tmp_path)
    run_id = runs.start(preset("smoke"))
    assert runs.active == run_id and look(runs, run_id).status == "preparing"
    go_on.set()
    wait_for(lambda: runs.active is None)
    now = look(runs, run_id)
    assert now.status == "failed" and "lower its learning rate" in sentence(now, runs, truth_shown=True)


def test_runs_wait_for_their_turn_and_can_be_removed_from_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, trained, at_once = threading.Event(), [], []

    def slow_run(config: Any, path: Path, **_: Any) -> dict[str, Any]:
        at_once.append(path.name)
        assert len(at_once) == 1, "two trainings at once"
        go_on.wait(20)
        fake_run(path.parent, epochs=2, samples=60, run_id=path.name)
        trained.append(at_once.pop())
        return {}

    monkeypatch.setattr(record, "record_run", slow_run)
    monkeypatch.setattr(preparation, "prepare", lambda config: None)
    runs = RunRegistry(tmp_path)
    first, second, third, fourth = (runs.start(preset("smoke")) for _ in range(4))
    assert (
        (runs.active, runs.waiting) == (first, [second, third, fourth])
        and runs.position_in_queue(third) == 2
        and runs.position_in_queue(first) is None
    )
    now = look(runs, third)
    assert (
        now.status == "queued"
        and now.live
        and sentence(now, runs, truth_shown=True).startswith("Waiting for 2 other runs to end")
    )
    runs.command(second, "stop")
    assert runs.waiting == [third, fourth] and "removed from the queue" in sentence(
        look(runs, second), runs, truth_shown=True
    )
    while len(runs.waiting) < queue.MOST_WAITING:
        runs.start(preset("smoke"))
    with pytest.raises(RunFolderError, match="8 more are waiting"):
        runs.start(preset("smoke"))
    for run_id in runs.waiting[2:]:
        runs.command(run_id, "stop")
    go_on.set()
    wait_for(lambda: runs.active is None)
    assert trained == [first, third, fourth] and look(runs, third).status == "finished"


def test_a_run_that_fails_lets_the_next_one_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = fail_when_told(monkeypatch)
    runs = RunRegistry(tmp_path)
    started = [runs.start(preset("smoke")) for _ in range(3)]
    go_on.set()
    wait_for(lambda: runs.active is None)
    assert [runs.error(run_id) for run_id in started] == ["It does not work."] * 3 and runs.waiting == []


def test_a_run_that_crafts_its_trigger_reports_its_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = fail_when_told(monkeypatch, crafting=10)
    runs = RunRegistry(tmp_path)
    run_id = runs.start(preset("smoke"))
    assert "crafting its trigger: surrogate, step 1 of 10." in sentence(look(runs, run_id), runs, truth_shown=True)
    go_on.set()
    wait_for(lambda: runs.active is None)
    assert runs.crafting is None


def test_a_resumed_run_that_crafts_its_trigger_reports_its_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = fail_when_told(monkeypatch, crafting=10)
    FakeRun(samples=60).create(tmp_path / "killed").close()
    runs = RunRegistry(tmp_path)
    runs.resume("killed")
    wait_for(lambda: runs.crafting is not None)
    assert runs.crafting == "surrogate, step 1 of 10"
    go_on.set()
    wait_for(lambda: runs.active is None)
    assert runs.crafting is None and "It does not work." in runs.error("killed")


def test_a_run_without_a_training_process_accepts_no_commands(tmp_path: Path) -> None:
    runs = RunRegistry(tmp_path)
    path = fake_run(tmp_path, epochs=2, status=None)
    with pytest.raises(RunFolderError, match="No process is training"):
        runs.command(path.name, "pause")
    assert not (path / "commands.jsonl").exists()
