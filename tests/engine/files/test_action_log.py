"""The log of actions: complete with many writers, bounded, one line each, and never an exception."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from bsd_engine.files import action_log
from bsd_engine.files.action_log import FILE, LONGEST_TEXT, OLDER_FILE, note, read


def test_a_line_says_when_what_which_and_who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert note(tmp_path, "start", "20260101-000000-abcdef", session="1a2b3c4d") is None
    (entry,) = read(tmp_path)
    assert entry.pop("time")[:2] == "20" and entry == {
        "action": "start",
        "run": "20260101-000000-abcdef",
        "user": "ada",
        "session": "1a2b3c4d",
    }


def test_texts_from_outside_stay_in_their_line(tmp_path: Path) -> None:
    hostile = 'a"}\n{"action": "stop"}\r\u2028\x1b[31m\udcff' + "x" * 10_000
    note(tmp_path, "export", hostile, file=hostile)
    content = (tmp_path / FILE).read_bytes()
    assert content.count(b"\n") == 1 and content.isascii() and b"\x1b" not in content
    assert json.loads(content)["file"] == hostile[:LONGEST_TEXT]


def _write_many(folder: Path, writer: int) -> None:
    for i in range(200):
        note(folder, "export", f"{writer}-{i}")


def test_many_processes_lose_no_line(tmp_path: Path) -> None:
    processes = [multiprocessing.Process(target=_write_many, args=(tmp_path, i)) for i in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert {entry["run"] for entry in read(tmp_path)} == {f"{w}-{i}" for w in range(4) for i in range(200)}


def test_the_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_log, "MOST_BYTES", 2000)
    for i in range(100):
        note(tmp_path, "pause", str(i))
    assert OLDER_FILE in {p.name for p in tmp_path.iterdir()} <= {OLDER_FILE, FILE}
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) < 5000
    kept = [int(entry["run"]) for entry in read(tmp_path)]
    assert kept == list(range(kept[0], 100)) and len(kept) > 10


def test_a_torn_line_costs_no_other_line(tmp_path: Path) -> None:
    note(tmp_path, "start", "a")
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"time": "2026-')
    note(tmp_path, "stop", "b")
    assert [entry["run"] for entry in read(tmp_path)] == ["a", "b"]


def test_a_full_disk_gives_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda file, content: 3)
    assert "the disk is full" in (note(tmp_path, "start", "a") or "")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "parent is a file"])
def test_what_is_not_a_log_gives_a_sentence_and_stays(tmp_path: Path, kind: str) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "runs"
    victim.write_text("kept")
    if kind == "parent is a file":
        folder = victim
    else:
        folder.mkdir()
        path = folder / FILE
        {"link": lambda: path.symlink_to(victim), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    assert "cannot be written" in (note(folder, "start", "a") or "")
    assert victim.read_text() == "kept"
    if kind != "parent is a file":
        assert read(folder) == []


def test_only_its_owner_can_write_the_log(tmp_path: Path) -> None:
    note(tmp_path, "start", "a")
    assert not (tmp_path / FILE).stat().st_mode & (stat.S_IWOTH | stat.S_IWGRP)
