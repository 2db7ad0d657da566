"""Files of a run folder appear complete or not at all; a full disk gives one sentence, and nothing is lost."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bsd_engine.errors import RunFolderError, StorageError
from bsd_engine.files import atomic
from bsd_engine.files.atomic import make_folder, npy_parts, write_atomic
from bsd_engine.runs import writer as writing
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.lock import is_locked
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.writer import RunWriter
from tests.support.small_runs import assert_same, create, fail_with, warmup_state

CAUSES = [
    (errno.ENOSPC, "the disk is full; free some space"),
    (errno.EDQUOT, "the disk quota is used up; free some space"),
    (errno.EACCES, "permission is missing; make the folder writable"),
    (errno.EROFS, "the file system is read-only; choose another folder"),
    (errno.EIO, os.strerror(errno.EIO)),
]


def test_a_file_is_replaced_completely_and_leaves_no_other_file(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        write_atomic(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_images_in_any_memory_order_are_written_as_numpy_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 3), np.uint8)
    for part_bytes in (1, 130, 10**6):
        monkeypatch.setattr(atomic, "_PART_BYTES", part_bytes)
        for array in (images, images.transpose(0, 3, 1, 2), images[:0]):
            write_atomic(tmp_path / "ours.npy", npy_parts(array))
            np.save(tmp_path / "numpys.npy", np.ascontiguousarray(array))
            assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "numpys.npy").read_bytes()


@pytest.mark.parametrize(("code", "cause"), CAUSES)
def test_a_disk_that_fills_up_while_images_are_written_gives_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, cause: str
) -> None:
    def parts(array: np.ndarray) -> Iterator[bytes]:
        yield array[:1].tobytes()
        fail_with(code)()

    monkeypatch.setattr(writing, "npy_parts", parts)
    with pytest.raises(StorageError) as refused:
        create(tmp_path / "run")
    assert str(refused.value).startswith(f"Cannot write {tmp_path}/run/images.npy: {cause}. ")
    assert (
        not list(tmp_path.rglob("*.tmp")) and not list(tmp_path.rglob("images.npy")) and not is_locked(tmp_path / "run")
    )


@pytest.mark.parametrize(("code", "cause"), CAUSES)
@pytest.mark.parametrize("where", ["pathlib.Path.open", "os.fsync", "os.replace"])
def test_an_epoch_that_cannot_be_written_gives_one_sentence_and_earlier_ones_stay(
    writer: RunWriter, reader: RunReader, monkeypatch: pytest.MonkeyPatch, code: int, cause: str, where: str
) -> None:
    with monkeypatch.context() as patch, pytest.raises(StorageError) as refused:
        patch.setattr(where, fail_with(code))
        writer.epoch(warmup_state(3))
    assert str(refused.value) == (
        f"Cannot write {writer.path}/epochs/00003.npz: {cause}. Finished epochs are kept; resume the run afterwards."
    )
    assert reader.epochs == [0, 1, 2] and not list(writer.path.rglob("*.tmp"))
    for epoch in range(3):
        assert_same(reader.epoch(epoch), warmup_state(epoch))
    writer.epoch(warmup_state(3))
    assert reader.epochs == [0, 1, 2, 3]


def test_an_old_epoch_survives_a_rewrite_that_fails(
    writer: RunWriter, reader: RunReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(StorageError):
        patch.setattr(os, "replace", fail_with(errno.ENOSPC))
        writer.epoch(replace(warmup_state(7), epoch=1))
    assert_same(reader.epoch(1), warmup_state(1))


def test_a_folder_deleted_during_the_run_is_reported(writer: RunWriter) -> None:
    shutil.rmtree(writer.path)
    with pytest.raises(
        StorageError, match="the folder is gone; it must not be moved or deleted while it is written to"
    ):
        writer.epoch(warmup_state(3))


def test_a_new_folder_that_cannot_be_filled_is_not_left_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(StorageError, match="the disk is full"):
        patch.setattr(os, "replace", fail_with(errno.ENOSPC))
        create(tmp_path / "run")
    assert not is_locked(tmp_path / "run")


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", fail_with(errno.EACCES))
    with pytest.raises(StorageError, match="permission is missing"):
        make_folder(tmp_path / "run")


def test_a_command_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the folder is gone"):
        send_command(tmp_path / "absent", "stop")


def test_only_a_new_or_empty_folder_becomes_a_run_folder(tmp_path: Path) -> None:
    make_folder(tmp_path / "new/nested")
    make_folder(tmp_path / "new/nested")
    (tmp_path / "new/nested/file").touch()
    create(tmp_path / "my run").close()
    for path in (tmp_path / "new/nested", tmp_path / "new/nested/file"):
        with pytest.raises(RunFolderError, match=r"is not an empty folder; give a new one\.$"):
            make_folder(path)
    with pytest.raises(RunFolderError, match="give a new one, or resume the run in it with --resume '.*/my run'"):
        create(tmp_path / "my run")


def test_the_last_two_checkpoints_are_kept(writer: RunWriter) -> None:
    for epoch in (0, 1, 2, 10):
        writer.checkpoint(epoch, bytes([epoch]))
    assert [p.name for p in checkpoint_paths(writer.path)] == ["00002.pt", "00010.pt"]
    assert [p.read_bytes() for p in checkpoint_paths(writer.path)] == [b"\x02", b"\x0a"]


def test_a_run_resumed_from_an_older_checkpoint_removes_those_it_could_not_read(writer: RunWriter) -> None:
    for epoch in (2, 9, 10, 11):
        writer.checkpoint(epoch, b"damaged" if epoch > 2 else b"whole", keep=(2, 9))
    for epoch in (3, 4):
        writer.checkpoint(epoch, b"whole", keep=(2, 9))
    assert [p.name for p in checkpoint_paths(writer.path)] == ["00002.pt", "00003.pt", "00004.pt"]


def test_a_checkpoint_that_cannot_be_written_removes_no_older_one(
    writer: RunWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for epoch in (0, 1):
        writer.checkpoint(epoch, b"whole")
    with monkeypatch.context() as patch, pytest.raises(StorageError):
        patch.setattr(os, "replace", fail_with(errno.ENOSPC))
        writer.checkpoint(2, b"lost")
    assert [p.name for p in checkpoint_paths(writer.path)] == ["00000.pt", "00001.pt"]
