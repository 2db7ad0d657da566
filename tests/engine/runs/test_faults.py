"""Injected faults: full and read-only disks, folders changed while they are read, clocks set back.

The promise: finished epochs stay readable, and one sentence names cause and remedy.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.run.status import look, sentence
from app.server import run_cache
from app.server.registry import RunRegistry
from bsd_engine.errors import RunFolderError, StorageError
from bsd_engine.runs import commands, map_process
from bsd_engine.runs import reader as reading
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.lock import is_locked
from bsd_engine.runs.origin import digests
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.writer import RunWriter
from tests.support.fake_run import FakeRun, fake_run
from tests.support.run_edits import record

ROOT = Path(__file__).parents[3]


def failing(path: Path) -> RunWriter:
    """A run with three epochs and its writer."""
    fake_run(path.parent, epochs=3, status=None, run_id=path.name, samples=60)
    return RunWriter(path)


def contents(path: Path) -> dict[str, bytes]:
    """The files of a run; the digest of a file that then got no name does no harm."""
    return {str(p): p.read_bytes() for p in path.rglob("*") if p.is_file() and p.name != digests.FILE}


WRITES: dict[str, Callable[[RunWriter], None]] = {
    "epoch": lambda w: w.epoch(FakeRun(samples=60).state(3)),
    "checkpoint": lambda w: w.checkpoint(3, b"state" * 1000),
    "progress": lambda w: w.progress(state="running", epoch=3),
    "summary": lambda w: w.summary({"status": "finished"}),
    "command": lambda w: send_command(w.path, "stop"),
}


CAUSES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EROFS: "the file system is read-only; choose another folder",
}


@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize("code", CAUSES)
@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_each_kind_of_write_fails_with_cause_and_remedy_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, code: int, call: str
) -> None:
    def refuse(*args: Any, **_: Any) -> Any:
        raise OSError(code, os.strerror(code))

    with failing(tmp_path / "run") as writer:
        before = contents(writer.path)
        with monkeypatch.context() as patch:
            if call == "open":
                patch.setattr(Path, "open", refuse)
                patch.setattr(commands, "without_following", refuse)
            else:
                patch.setattr(os, call, refuse)
            skipped = (kind == "command" and call != "open") or (kind == "progress" and call == "fsync")
            if skipped:  # neither is written in this way
                WRITES[kind](writer)
                return
            with pytest.raises(StorageError, match=CAUSES[code]) as refused:
                WRITES[kind](writer)
        assert str(writer.path) in str(refused.value)
        assert contents(writer.path) == before
    assert RunReader(tmp_path / "run").epochs == [0, 1, 2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_disk_that_is_really_full_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes go to /dev/full, so the kernel itself refuses them when they are flushed."""
    really_open = Path.open
    with failing(tmp_path / "run") as writer:
        monkeypatch.setattr(
            Path,
            "open",
            lambda self, mode="r", *a, **k: (
                open("/dev/full", "wb") if "x" in mode else really_open(self, mode, *a, **k)
            ),
        )
        with pytest.raises(StorageError, match="the disk is full"):
            writer.epoch(FakeRun(samples=60).state(3))


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_folder_without_permission_is_reported(tmp_path: Path) -> None:
    with failing(tmp_path / "run") as writer:
        (writer.path / "epochs").chmod(0o500)
        with pytest.raises(StorageError, match="permission is missing"):
            writer.epoch(FakeRun(samples=60).state(3))


def test_a_run_deleted_while_it_is_open_gives_a_sentence(tmp_path: Path) -> None:
    path = fake_run(tmp_path, epochs=4, run_id="run", samples=60)
    registry = RunRegistry(tmp_path)
    run_open = look(registry, "run").run
    shutil.rmtree(path)
    assert (
        run_open is not None and run_open.version[0] == 0 and run_open.epochs == [] and run_open.status == "interrupted"
    )
    with pytest.raises(RunFolderError, match="has no epoch 1"):
        run_open.epoch(1)
    with pytest.raises(RunFolderError, match="There is no run called"):
        look(registry, "run")


def test_an_epoch_deleted_between_two_readings_of_a_folder_raises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake_run(tmp_path, epochs=4, run_id="run", samples=60)
    monkeypatch.setattr(reading, "file_numbers", lambda folder, suffix: [0, 1, 2, 3])
    shutil.rmtree(path / "epochs")
    assert RunReader(path).version[0] == 4
    assert run_cache.rows(path) == () and "was changed while it was shown" in str(run_cache.damage(path))


@pytest.mark.parametrize(
    "hurt",
    [lambda b: b[: len(b) // 2], lambda b: b[:3000] + bytes([b[3000] ^ 1]) + b[3001:], lambda b: b""],
    ids=["truncated", "one bit", "empty"],
)
def test_a_damaged_epoch_hides_only_later_epochs(tmp_path: Path, hurt: Callable[[bytes], bytes]) -> None:
    path = fake_run(tmp_path, epochs=6, run_id="run", samples=1200)
    file = path / "epochs/00003.npz"
    file.write_bytes(hurt(file.read_bytes()))
    now = look(RunRegistry(tmp_path), "run")
    assert len(now.rows) == 3 and now.damage is not None and "epochs/00003.npz cannot be read" in now.damage
    assert RunReader(path).epoch(4).epoch == 4


def test_images_truncated_while_they_are_open_do_not_kill_the_process(tmp_path: Path) -> None:
    """Truncating a mapped file kills the process that reads it, so small sets are not mapped."""
    path = fake_run(tmp_path, epochs=1, samples=60)
    images = RunReader(path).images
    expected = np.array(images)
    os.truncate(path / "images.npy", 200)
    assert (images == expected).all()
    with pytest.raises(RunFolderError, match="images.npy cannot be read: it differs from its digest"):
        _ = RunReader(path).images


def test_large_image_files_are_mapped_and_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake_run(tmp_path, epochs=1, samples=60)
    monkeypatch.setattr(reading, "_IN_MEMORY_BELOW", 100)
    images = RunReader(path).images
    assert isinstance(images, np.memmap) and np.array_equal(images, np.load(path / "images.npy"))
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verdict", {"kind": "target", "classes": [], "z": 1.0, "needed": 6.0, "why": "x"}),
        ("verdict", {"kind": "several"}),
        ("verdict", {"kind": "target", "classes": [1], "z": None, "needed": 6.0, "why": "x"}),
        ("estimators", [1]),
        ("metrics", {"seconds": 10**400}),
        ("stage", "lunch"),
        ("epoch", 7),
        ("pseudo_target", True),
    ],
)
def test_an_epoch_that_a_run_cannot_have_written_is_refused(tmp_path: Path, name: str, value: Any) -> None:
    path = fake_run(tmp_path, epochs=1, samples=60)
    scalars = {"epoch": 0, "stage": "altruistic_warmup", "main_epoch": -8, "metrics": {}, name: value}
    arrays = {"altruistic_loss": np.zeros(60, np.float32), "altruistic_prediction": np.zeros(60, np.int16)}
    np.savez(path / "epochs/00000.npz", scalars=np.frombuffer(json.dumps(scalars).encode(), np.uint8), **arrays)
    record(path, "epochs/00000.npz")
    with pytest.raises(RunFolderError, match="epochs/00000.npz cannot be read: it "):
        RunReader(path).epoch(0)


def test_pipes_and_links_in_a_folder_are_refused_without_waiting(tmp_path: Path) -> None:
    path = fake_run(tmp_path, epochs=2, run_id="run", samples=60)
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("epochs/00001.npz", "summary.json", "images.npy"):
        (path / name).unlink()
        os.mkfifo(path / name)
    begin = time.monotonic()
    run_open = RunReader(path)
    for read in (lambda: run_open.epoch(1), lambda: run_open.images, lambda: run_open.summary):
        with pytest.raises(RunFolderError, match="cannot be read"):
            read()
    assert not is_locked(path) and time.monotonic() - begin < 2
    (path / "commands.jsonl").symlink_to(outside / "profile")
    with pytest.raises(StorageError):
        send_command(path, "stop")
    shutil.rmtree(path / "checkpoints")
    (path / "checkpoints").symlink_to(outside)
    with pytest.raises(RunFolderError, match="checkpoints is a link; copy what it points to into its place"):
        RunWriter(path)
    assert list(outside.iterdir()) == []


def test_a_clock_that_is_set_back_hides_no_epoch(tmp_path: Path) -> None:
    """Times decide nothing: a rewritten file is noticed by its inode, whatever its modification time."""
    path = fake_run(tmp_path, epochs=3, status=None, run_id="run", samples=60)
    for file in path.rglob("*.npz"):
        os.utime(file, (4e9, 4e9))
    run_open, before = RunReader(path), RunReader(path).version
    first = run_open.epoch(2).altruistic_loss.copy()
    changed = FakeRun(samples=60, seed=5).state(2)
    with RunWriter(path) as writer:
        writer.epoch(changed)
        os.utime(path / "epochs/00002.npz", (4e9, 4e9))
        writer.progress(state="running", epoch=2)
        assert run_open.version != before and not np.array_equal(run_open.epoch(2).altruistic_loss, first)
        progress = path / "progress.json"
        for moment in (time.time() + 10**6, -1.0):
            progress.write_text(json.dumps(json.loads(progress.read_text()) | {"time": moment}))
            assert "epoch" in sentence(look(RunRegistry(tmp_path), "run"), RunRegistry(tmp_path), truth_shown=True)


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    fake_run(tmp_path, epochs=2, status=None, run_id="run", samples=60)
    with RunWriter(tmp_path / "run"):
        second = subprocess.run(
            [sys.executable, "-m", "bsd_engine", "train", "--resume", str(tmp_path / "run")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert second.returncode == 2 and "Traceback" not in second.stderr
    with (
        RunWriter(tmp_path / "run"),
        pytest.raises(RunFolderError, match="is being written by another process; stop that run first"),
    ):
        RunWriter(tmp_path / "run")


def test_a_killed_map_process_leaves_the_run_intact_and_can_be_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake_run(tmp_path, epochs=3, status=None, samples=60)
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from bsd_engine.files import atomic\n"
        "from bsd_engine.runs import map_process as maps\n"
        "maps.umap_map = lambda points, previous: points[:, :2]\n"
        "atomic.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "maps.make_maps(Path(sys.argv[1]))"
    )
    died = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, timeout=120)
    assert died.returncode == -signal.SIGKILL
    reader = RunReader(path)
    assert reader.map_epochs == [] and reader.epochs == [0, 1, 2]
    monkeypatch.setattr(map_process, "umap_map", lambda points, previous: points[:, :2])
    map_process.make_maps(path)
    assert reader.map_epochs == [0, 1, 2] and reader.map(2).shape == (len(reader.landmark_idx), 2)
