"""Recordings are unpacked once and completely, even if others open them at the same time."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bsd_engine.errors import BSDError
from bsd_engine.recordings import library
from bsd_engine.recordings.pack import pack
from bsd_engine.runs.reader import RunReader
from tests.support.recordings import CARD
from tests.support.run_edits import without_digests


def test_a_second_opening_writes_nothing_and_a_lost_file_comes_back(file: Path, cache: Path) -> None:
    folder = library.open_file(file, "short")
    stamps = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    (folder / "audit").mkdir()
    (folder / "audit/verdicts.jsonl").write_text("kept")
    assert library.open_file(file, "short") == folder
    assert all(p.stat().st_mtime_ns == then for p, then in stamps.items() if p.is_file())
    (folder / "epochs/00003.npz").unlink()
    assert RunReader(library.open_file(file, "short")).epoch(3).epoch == 3
    assert (folder / "audit/verdicts.jsonl").read_text() == "kept"
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", ["epochs/00003.npz", "images.npy", "checkpoints/00001.pt", "digests.jsonl"])
def test_a_damaged_file_is_named_and_comes_back(file: Path, cache: Path, name: str) -> None:
    folder = library.open_file(file, "short")
    damaged = folder / name
    sound = damaged.read_bytes()
    content = bytearray(sound)
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    if name in ("epochs/00003.npz", "images.npy"):
        with pytest.raises(BSDError, match=f"{name} cannot be read: it differs from its digest"):
            _ = RunReader(folder).images if name == "images.npy" else RunReader(folder).epoch(3)
    library.open_file(file, "short")
    assert damaged.read_bytes() == sound


def test_a_folder_that_an_older_version_unpacked_is_unpacked_anew(file: Path, cache: Path) -> None:
    folder = library.open_file(file, "short")
    without_digests(folder)
    (folder / "recording-files.json").write_text('{"files": {}}')
    RunReader(folder)
    library.open_file(file, "short")
    assert (folder / "digests.jsonl").exists() and RunReader(folder).epoch(3).epoch == 3


def test_threads_and_processes_open_the_same_recording_at_once(file: Path, cache: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as processes:
        asked = processes.starmap_async(library.open_file, [(file, "short")] * 4)
        with ThreadPoolExecutor(4) as threads:
            here = list(threads.map(lambda _: library.open_file(file, "short"), range(4)))
        found = {*here, *asked.get(120)}
    (folder,) = found
    assert len(RunReader(folder).epochs) == len(list((folder / "epochs").iterdir()))
    # A page of an earlier test may still be opening another recording in a thread of this process, so only the folder
    # of this recording counts.
    assert list(cache.glob("short-*")) == [folder.parent] and list(folder.parent.iterdir()) == [folder]


def test_a_changed_file_is_unpacked_beside_the_old_one(
    recorded_run: Path, file: Path, cache: Path, tmp_path: Path
) -> None:
    before = library.open_file(file, "short")
    after = library.open_file(pack(recorded_run, tmp_path / "short.bsdrec", replace(CARD, title="Another")), "short")
    assert before != after and before.is_dir() and after.name == before.name


def test_a_cache_that_cannot_be_written_gives_one_sentence(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BSD_DATA", str(tmp_path / "file"))
    with pytest.raises(BSDError, match="Cannot write .* set BSD_DATA"):
        library.open_file(file, "short")
