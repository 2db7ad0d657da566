"""Folders with very many files: listed once, right after each change, and bounded by what a run can have."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bsd_engine.runs import layout
from bsd_engine.runs.layout import file_numbers, list_runs
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import FakeRun, fake_run


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that were listed."""
    found: list[str] = []
    listdir = os.listdir
    monkeypatch.setattr(layout.os, "listdir", lambda path: (found.append(str(path)), listdir(path))[1])
    return found


def _settle(folder: Path) -> None:
    """Give a folder the time of ten seconds ago."""
    os.utime(folder, ns=(time.time_ns() - 10**10,) * 2)


def test_a_folder_is_listed_again_only_when_it_has_changed(tmp_path: Path, listings: list[str]) -> None:
    for i in range(3):
        (tmp_path / f"{i:05d}.npz").touch()
    _settle(tmp_path)
    assert [file_numbers(tmp_path, ".npz") for _ in range(5)] == [[0, 1, 2]] * 5 and len(listings) == 1
    (tmp_path / "00003.npz").touch()
    assert file_numbers(tmp_path, ".npz") == [0, 1, 2, 3]


def test_a_folder_that_has_just_changed_is_listed_each_time(tmp_path: Path) -> None:
    """Within one step of the file system's clock, the time of the folder does not tell that it has changed."""
    os.utime(tmp_path, ns=(fixed := time.time_ns(),) * 2)
    assert file_numbers(tmp_path, ".npz") == []
    (tmp_path / "00000.npz").touch()
    os.utime(tmp_path, ns=(fixed,) * 2)
    assert file_numbers(tmp_path, ".npz") == [0]


def test_other_names_are_no_numbers(tmp_path: Path) -> None:
    for name in ("0", "000001", "1e4", "+0001", "٠٠٠٠١", "00001 ", "9" * 200, "00007", "123456"):
        (tmp_path / f"{name}.npz").touch()
    assert file_numbers(tmp_path, ".npz") == [7, 123456]


def test_a_run_has_no_more_epochs_than_its_settings_say(tmp_path: Path) -> None:
    path, run = tmp_path / "run", FakeRun(samples=60)
    with run.create(path) as writer:
        writer.epoch(run.state(0))
    total = run.config.schedule.total_epochs
    for folder in ("epochs", "maps"):
        for i in range(1, 3 * total):
            (path / folder / f"{i:05d}.npz").touch()
    reader = RunReader(path)
    assert reader.epochs == list(range(total)) and len(reader.map_epochs) == total


def test_the_version_changes_when_an_epoch_is_rewritten(tmp_path: Path) -> None:
    reader = RunReader(fake_run(tmp_path, epochs=3, samples=60))
    before = reader.version
    (reader.path / "epochs/00001.npz").write_bytes(b"x")
    assert reader.version != before


def test_hidden_folders_are_no_runs(tmp_path: Path) -> None:
    fake_run(tmp_path, epochs=1, samples=60, run_id=".hidden")
    assert list_runs(tmp_path) == [] and list_runs(tmp_path / "missing") == []
