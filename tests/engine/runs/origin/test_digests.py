"""Files of a run folder are compared with their digests: one flipped bit is named, and never changes a result."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.files import atomic
from bsd_engine.runs import reader as reading
from bsd_engine.runs.origin import digests
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.writer import RunWriter
from tests.support.fake_run import fake_run
from tests.support.run_edits import replace_file, without_digests
from tests.support.small_runs import assert_same, create, fail_with, full_state, warmup_state

ROOT = Path(__file__).parents[4]
READS: dict[str, Callable[[RunReader], Any]] = {
    "config.json": lambda run: run.config,
    "samples.npz": lambda run: run.labels,
    "truth.npz": lambda run: run.truth,
    "files.json": lambda run: run.files,
    "images.npy": lambda run: run.images,
    "epochs/00001.npz": lambda run: run.epoch(1),
    "summary.json": lambda run: run.summary,
}


def flipped(file: Path, bit: int) -> None:
    """Flip one bit of a file, without a new inode."""
    content = bytearray(file.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)


def everything(path: Path) -> dict[str, str]:
    """What every reader of a folder returns, or the sentence that it ends with."""
    found: dict[str, str] = {}
    wanted = READS | {f"epoch {e}": lambda run, e=e: run.epoch(e) for e in range(3)}
    for name, read in wanted.items():
        try:
            found[name] = repr(read(RunReader(path)))  # the arrays are small enough to be told in full
        except BSDError as error:
            found[name] = str(error)
    return found


@pytest.fixture
def run(writer: RunWriter) -> Path:
    """A finished run of three epochs whose images came from files."""
    writer._write("files.json", b'{"files": [%s]}' % b", ".join(b'"%d.png"' % i for i in range(12)))
    writer.checkpoint(2, b"state")
    writer.summary({"status": "finished", "clean_accuracy": 81.25})
    writer.close()
    return writer.path


@pytest.mark.parametrize("name", READS)
def test_a_flipped_bit_in_any_file_is_named(run: Path, name: str) -> None:
    draw = random.Random(name)
    size = (run / name).stat().st_size
    for bit in [draw.randrange(8 * size) for _ in range(20)]:
        flipped(run / name, bit)
        with pytest.raises(RunFolderError, match=f"{name} cannot be read|has format|not a run folder") as named:
            READS[name](RunReader(run))
        assert "\n" not in str(named.value)
        flipped(run / name, bit)
    READS[name](RunReader(run))


def test_a_flipped_bit_among_the_digests_hides_no_damage_and_at_worst_accuses_a_sound_file(run: Path) -> None:
    sound, draw = everything(run), random.Random(0)
    size = (run / digests.FILE).stat().st_size
    for _ in range(100):
        bit = draw.randrange(8 * size)
        flipped(run / digests.FILE, bit)
        for name, found in everything(run).items():
            assert found == sound[name] or "digest" in found, (bit, name, found)
        flipped(run / digests.FILE, bit)


def test_damage_is_found_although_the_digests_are_damaged_too(run: Path) -> None:
    flipped(run / "epochs/00001.npz", 8 * 300)
    size = (run / digests.FILE).stat().st_size
    for bit in range(0, 8 * size, 97):
        flipped(run / digests.FILE, bit)
        with pytest.raises(RunFolderError, match="digest"):
            RunReader(run).epoch(1)
        flipped(run / digests.FILE, bit)


def test_an_unreadable_line_is_reported_by_its_number(run: Path) -> None:
    lines = (run / digests.FILE).read_bytes().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b"epochs/00001.npz" in line)
    lines[at] = b"x" + lines[at]
    (run / digests.FILE).write_bytes(b"".join(lines))
    with pytest.raises(RunFolderError, match=f"because line {at + 1} of digests.jsonl is damaged"):
        RunReader(run).epoch(1)
    assert_same(RunReader(run).epoch(2), warmup_state(2))


def test_without_digests_a_folder_of_this_format_is_damaged_and_an_older_one_is_not(run: Path) -> None:
    (run / digests.FILE).rename(run / "elsewhere")
    with pytest.raises(RunFolderError, match="config.json cannot be read: there is no digests.jsonl"):
        RunReader(run)
    (run / "elsewhere").rename(run / digests.FILE)
    without_digests(run)
    assert_same(RunReader(run).epoch(1), warmup_state(1))


def test_a_file_that_the_writer_did_not_write_is_damage(run: Path) -> None:
    (run / "epochs/00003.npz").write_bytes((run / "epochs/00002.npz").read_bytes())
    with pytest.raises(RunFolderError, match="00003.npz cannot be read: it has no digest"):
        RunReader(run).epoch(3)


def test_mapped_images_are_compared_where_they_are_exported(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_IN_MEMORY_BELOW", 100)
    RunReader(run).check_images()
    flipped(run / "images.npy", 8 * 500)
    assert isinstance(RunReader(run).images, np.memmap)
    with pytest.raises(RunFolderError, match="images.npy cannot be read: it differs from its digest"):
        RunReader(run).check_images()


@pytest.mark.parametrize("times", [1, 3])
def test_a_writer_killed_between_digest_and_name_leaves_the_older_file_sound(tmp_path: Path, times: int) -> None:
    path = tmp_path / "run"
    with create(path) as writer:
        writer.epoch(warmup_state(0))
    code = (
        "import os, signal, sys\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from bsd_engine.files import atomic\n"
        "from bsd_engine.runs.writer import RunWriter\n"
        "from tests.support.small_runs import warmup_state\n"
        "writer = RunWriter(Path(sys.argv[1]))\n"
        "atomic.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "writer.epoch(replace(warmup_state(0), pseudo_target=int(sys.argv[2]) % 4))"
    )
    for attempt in range(times):
        died = subprocess.run([sys.executable, "-c", code, str(path), str(5 + attempt)], cwd=ROOT, timeout=120)
        assert died.returncode == -signal.SIGKILL
        assert_same(RunReader(path).epoch(0), warmup_state(0))
    with RunWriter(path) as writer:
        assert not list(path.rglob("*.tmp")), "what the killed writers left half done is removed"
        writer.epoch(replace(warmup_state(0), pseudo_target=0))
    assert_same(RunReader(path).epoch(0), replace(warmup_state(0), pseudo_target=0))


def test_a_line_that_was_cut_is_dropped_when_the_next_file_is_written(run: Path) -> None:
    with (run / digests.FILE).open("ab") as file:
        file.write(b'{"file": "epochs/000')
    assert_same(RunReader(run).epoch(2), warmup_state(2))
    with RunWriter(run) as writer:
        writer.epoch(full_state(3))
    assert_same(RunReader(run).epoch(3), full_state(3))
    assert digests.digests_of(run).damaged_line is None


def test_a_write_that_failed_can_be_repeated(writer: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        with monkeypatch.context() as patch, pytest.raises(BSDError):
            patch.setattr(atomic.os, "replace", fail_with(28))
            writer.epoch(replace(warmup_state(1), pseudo_target=1))
        assert_same(RunReader(writer.path).epoch(1), warmup_state(1))
    writer.epoch(replace(warmup_state(1), pseudo_target=2))
    assert_same(RunReader(writer.path).epoch(1), replace(warmup_state(1), pseudo_target=2))


def test_a_damaged_checkpoint_is_named_without_reading_it_with_torch(tmp_path: Path) -> None:
    path = fake_run(tmp_path, epochs=2, samples=60)
    assert RunReader(path).damaged_checkpoints() == ()
    (path / "checkpoints/00001.pt").write_bytes(b"x")
    (said,) = RunReader(path).damaged_checkpoints()
    assert "checkpoints/00001.pt is damaged: it differs from its digest" in said
    replace_file(path, "checkpoints/00001.pt", b"")
    os.utime(path / "checkpoints/00001.pt", (1, 1))
    assert RunReader(path).damaged_checkpoints() == ()
