"""No reader of a run folder follows a link, whatever it points to."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.runs import checkpoints
from bsd_engine.runs import reader as reading
from bsd_engine.runs.commands import read_commands
from bsd_engine.runs.lock import is_locked
from bsd_engine.runs.origin.provenance import is_own
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import load_checkpoint
from bsd_engine.runs.writer import RunWriter, write_map
from tests.support.small_runs import SAMPLES, warmup_state

READS: dict[str, Callable[[RunReader], Any]] = {
    "config.json": lambda run: RunReader(run.path),
    "digests.jsonl": lambda run: run.epoch(1),
    "samples.npz": lambda run: run.labels,
    "truth.npz": lambda run: run.truth,
    "files.json": lambda run: run.files,
    "images.npy": lambda run: run.images,
    "epochs/00001.npz": lambda run: run.epoch(1),
    "maps/00001.npz": lambda run: run.map(1),
    "summary.json": lambda run: run.summary,
    "progress.json": lambda run: run.progress,
}


@pytest.fixture
def run(writer: RunWriter) -> RunReader:
    """A run with every kind of file."""
    writer._write("files.json", b'{"files": [%s]}' % b", ".join([b'"a.png"'] * SAMPLES))
    writer.summary({"status": "finished"})
    writer.progress(state="finished", epoch=2)
    writer.close()
    reader = RunReader(writer.path)
    write_map(reader.path, 1, warmup_state().altruistic_loss[: 2 * len(reader.landmark_idx)].reshape(-1, 2))
    return reader


def linked(file: Path, outside: Path) -> None:
    """Move a file or folder out of the run, and leave a link to it in its place: the content stays sound."""
    shutil.move(file, outside / file.name)
    file.symlink_to(outside / file.name)


@pytest.mark.parametrize("name", READS)
def test_a_linked_file_is_refused_by_its_reader(
    run: RunReader, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    READS[name](run)
    (tmp_path / "outside").mkdir()
    linked(run.path / name, tmp_path / "outside")
    for in_memory_below in (0, 64_000_000):
        monkeypatch.setattr(reading, "_IN_MEMORY_BELOW", in_memory_below)
        with pytest.raises(RunFolderError, match="it is a link; copy what it points to into its place"):
            READS[name](RunReader(run.path))


@pytest.mark.parametrize("name", ["epochs", "maps", "checkpoints"])
def test_a_linked_folder_is_refused_by_readers_and_the_writer(run: RunReader, name: str, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    linked(run.path / name, tmp_path / "outside")
    for use in (RunReader, RunWriter, lambda path: run.map(1) if name == "maps" else RunReader(path)):
        with pytest.raises(RunFolderError, match="is a link; copy what it points to into its place"):
            use(run.path)


def test_linked_checkpoints_commands_and_signatures_are_refused(run: RunReader, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "00002.pt").write_bytes(b"secret")
    (run.path / "checkpoints/00002.pt").symlink_to(outside / "00002.pt")
    with pytest.raises(ValueError, match="it is a link"):
        checkpoints.read(run.path / "checkpoints/00002.pt")
    with pytest.raises(BSDError, match="it is a link"):
        load_checkpoint(run.path)
    (outside / "commands").write_text('{"command": "stop"}\n')
    (run.path / "commands.jsonl").symlink_to(outside / "commands")
    assert read_commands(run.path) == []
    assert is_own(run.path)
    linked(run.path / "origin.json", outside)
    assert not is_own(run.path)


def test_a_linked_config_is_no_lock(writer: RunWriter, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    assert is_locked(writer.path)
    linked(writer.path / "config.json", tmp_path / "outside")
    assert not is_locked(writer.path)
