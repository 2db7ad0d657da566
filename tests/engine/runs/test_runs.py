"""The run folder: exact, whole at any moment, one writer, readable anywhere, and honest about what is wrong with it."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsd_engine.config.presets import smoke
from bsd_engine.errors import BSDError, RunFolderError, StorageError
from bsd_engine.events import EpochState
from bsd_engine.files import atomic
from bsd_engine.files.atomic import make_folder, npy_parts, write_atomic
from bsd_engine.runs import writer as writing
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.epoch_file import pack_epoch, unpack_epoch
from bsd_engine.runs.layout import checkpoint_paths, list_runs, new_run_id
from bsd_engine.runs.lock import is_locked
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.writer import RunWriter

ROOT = Path(__file__).parents[3]
SAMPLES = 12


def warmup_state(epoch: int = 0) -> EpochState:
    """An epoch of the altruistic warm-up: no main model, no pool."""
    rng = np.random.default_rng(epoch)
    return EpochState(
        epoch=epoch,
        stage="altruistic_warmup",
        main_epoch=epoch - 2,
        clean_ratio=None,
        pseudo_target=3,
        altruistic_loss=rng.random(SAMPLES, np.float32),
        altruistic_prediction=rng.integers(0, 4, SAMPLES).astype(np.int16),
        vote_counts=rng.integers(0, 9, 4),
        vote_scores=rng.random(4, np.float32),
        metrics={"seconds": 0.25, "clean_accuracy": None},
    )


def full_state(epoch: int = 5) -> EpochState:
    """An epoch with every field in use."""
    rng = np.random.default_rng(epoch)
    return replace(
        warmup_state(epoch),
        stage="initial_pools",
        main_epoch=2,
        clean_ratio=0.1 + 0.2,
        main_loss=rng.random(SAMPLES, np.float32),
        main_prediction=rng.integers(0, 4, SAMPLES).astype(np.int16),
        oss_score=rng.random(SAMPLES, np.float32),
        oss_distances=rng.random((3, SAMPLES), np.float32),
        nearest_class=rng.integers(0, 4, SAMPLES).astype(np.int16),
        clean_mask=rng.random(SAMPLES) < 0.5,
        landmark_features=rng.normal(size=(6, 3)).astype(np.float16),
        metrics={"seconds": 1 / 3, "clean_accuracy": 81.25, "poison_in_clean_pool": 7, "attack_success_rate": None},
    )


def assert_same(a: EpochState, b: EpochState) -> None:
    """Equal to the bit, types included."""
    for name in (f.name for f in fields(EpochState)):
        ours, theirs = getattr(a, name), getattr(b, name)
        if isinstance(ours, np.ndarray):
            assert ours.dtype == theirs.dtype and ours.shape == theirs.shape and ours.tobytes() == theirs.tobytes(), (
                name
            )
        else:
            assert ours == theirs and type(ours) is type(theirs), name


def create(path: Path, *, truth: bool = True) -> RunWriter:
    """A new run folder of 12 images and 4 classes, without an epoch."""
    rng = np.random.default_rng(0)
    labels = np.arange(SAMPLES) % 4
    return RunWriter.create(
        path,
        smoke(),
        fingerprint="0123456789abcdef",
        class_names=("ant", "bee", "cat", "dog"),
        images=rng.integers(0, 256, (SAMPLES, 1, 8, 8), np.uint8),
        labels=labels,
        landmark_idx=np.arange(0, SAMPLES, 2),
        is_poison=np.arange(SAMPLES) < 3 if truth else None,
        original_labels=labels[::-1].copy() if truth else None,
    )


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[RunWriter]:
    """The writer of a run folder with three epochs."""
    with create(tmp_path / "run") as open_writer:
        for epoch in range(3):
            open_writer.epoch(warmup_state(epoch))
        yield open_writer


@pytest.fixture
def reader(writer: RunWriter) -> RunReader:
    """A reader of the same folder."""
    return RunReader(writer.path)


def fail_with(code: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


# --- one epoch, exactly ---


@pytest.mark.parametrize("state", [warmup_state(), full_state()], ids=["warm-up", "full"])
def test_an_epoch_is_read_as_it_was_written(state: EpochState) -> None:
    assert_same(unpack_epoch(pack_epoch(state)), state)


@settings(deadline=None, max_examples=30)
@given(
    losses=st.lists(st.floats(width=32, allow_nan=True), max_size=8),
    metrics=st.dictionaries(
        st.text(max_size=5), st.none() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
    ),
)
def test_odd_numbers_are_read_as_they_were_written(losses: list[float], metrics: dict) -> None:
    state = replace(warmup_state(), altruistic_loss=np.array(losses, np.float32), metrics=metrics)
    assert_same(unpack_epoch(pack_epoch(state)), state)


def test_arrays_of_an_epoch_are_read_only(reader: RunReader) -> None:
    for state in (full_state(), reader.epoch(0)):
        for name in ("altruistic_loss", "vote_counts"):
            with pytest.raises(ValueError, match="read-only"):
                getattr(state, name)[0] = 1


# --- what a reader sees ---


def test_a_folder_holds_what_was_given(reader: RunReader) -> None:
    assert reader.config == smoke() and reader.num_samples == SAMPLES and reader.fingerprint == "0123456789abcdef"
    assert reader.class_names == ("ant", "bee", "cat", "dog") and reader.run_id == "run"
    assert reader.labels.tolist() == [0, 1, 2, 3] * 3 and reader.labels.dtype == np.int64
    assert reader.landmark_idx.tolist() == [0, 2, 4, 6, 8, 10]
    assert reader.images.shape == (SAMPLES, 1, 8, 8) and reader.images.dtype == np.uint8
    assert reader.truth.is_poison.sum() == 3 and reader.truth.original_labels.tolist() == [3, 2, 1, 0] * 3
    assert reader.epochs == [0, 1, 2]
    for epoch in range(3):
        assert_same(reader.epoch(epoch), warmup_state(epoch))


def test_truth_may_be_unknown(tmp_path: Path) -> None:
    create(tmp_path / "run", truth=False).close()
    reader = RunReader(tmp_path / "run")
    assert reader.truth is None and not reader.truth_known and not (tmp_path / "run/truth.npz").exists()


def test_epochs_count_from_zero_up_to_the_first_gap(writer: RunWriter, reader: RunReader) -> None:
    writer.epoch(warmup_state(4))
    assert reader.epochs == [0, 1, 2]
    writer.epoch(warmup_state(3))
    assert reader.epochs == [0, 1, 2, 3, 4]


def test_a_file_half_written_by_a_dying_writer_is_not_an_epoch(
    reader: RunReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer dies before the rename: what it wrote so far lies under another name."""
    (reader.path / "epochs" / ".00003.npz.ab12cd.tmp").write_bytes(pack_epoch(warmup_state(3))[:100])
    assert reader.epochs == [0, 1, 2]
    with pytest.raises(RunFolderError, match="has no epoch 3; it holds 3"):
        reader.epoch(3)


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"garbage" * 50, lambda b: b[:-1]],
    ids=["half", "empty", "garbage", "short by one byte"],
)
def test_a_damaged_epoch_is_named_in_one_sentence(reader: RunReader, damage: Callable[[bytes], bytes]) -> None:
    path = reader.path / "epochs/00001.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RunFolderError) as broken:
        reader.epoch(1)
    assert "00001.npz cannot be read" in str(broken.value) and str(broken.value).endswith("The folder is broken.")
    assert_same(reader.epoch(2), warmup_state(2))


def test_changed_bytes_never_pass_as_another_epoch(reader: RunReader) -> None:
    path, draw = reader.path / "epochs/00001.npz", random.Random(0)
    whole = path.read_bytes()
    for time_ns in range(1, 400):
        content = bytearray(whole)
        for _ in range(draw.choice([1, 1, 4])):
            content[draw.randrange(len(content))] = draw.randrange(256)
        path.write_bytes(content)
        os.utime(path, ns=(time_ns, time_ns))  # a new time for each, whatever the clock's resolution
        try:
            assert_same(reader.epoch(1), warmup_state(1))
        except RunFolderError:
            pass


def test_an_epoch_that_a_resumed_run_repeats_is_read_anew(writer: RunWriter, reader: RunReader) -> None:
    assert_same(reader.epoch(1), warmup_state(1))
    before = reader.version
    writer.epoch(replace(warmup_state(7), epoch=1))
    os.utime(writer.path / "epochs/00001.npz", ns=(2**62, 2**62))
    assert reader.epoch(1).altruistic_loss.tolist() == warmup_state(7).altruistic_loss.tolist()
    assert reader.version != before


def test_an_epoch_is_read_from_disk_once(reader: RunReader) -> None:
    assert reader.epoch(1) is reader.epoch(1)


def test_version_changes_with_each_new_epoch_and_map(writer: RunWriter, reader: RunReader) -> None:
    versions = [reader.version]
    writer.epoch(warmup_state(3))
    versions.append(reader.version)
    np.savez(writer.path / "maps/00000.npz", xy=np.zeros((6, 2), np.float32))
    versions.append(reader.version)
    assert len(set(versions)) == 3 and reader.version == reader.version
    assert reader.map_epochs == [0] and reader.map(0).shape == (6, 2)


@pytest.mark.parametrize("move", [shutil.move, shutil.copytree])
def test_a_moved_or_copied_folder_stays_readable(writer: RunWriter, tmp_path: Path, move: Callable) -> None:
    writer.summary({"status": "finished"})
    writer.close()
    move(writer.path, tmp_path / "elsewhere")
    reader = RunReader(tmp_path / "elsewhere")
    assert reader.status == "finished" and reader.epochs == [0, 1, 2] and reader.labels.tolist() == [0, 1, 2, 3] * 3
    assert_same(reader.epoch(2), warmup_state(2))


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    for name in ("20260101-120000-aaaaaa", "20260301-120000-bbbbbb", "20260201-120000-cccccc"):
        create(tmp_path / name).close()
    (tmp_path / "something else").mkdir()
    assert [p.name[:8] for p in list_runs(tmp_path)] == ["20260301", "20260201", "20260101"]
    assert list_runs(tmp_path / "absent") == []


def test_runs_are_as_new_as_they_were_begun_whatever_they_are_called(tmp_path: Path) -> None:
    begun = {
        "middle": "2026-02-01T12:00:00+00:00",
        "b newest": "2026-03-01T12:00:00+02:00",
        "a oldest": "2026-01-01T12:00:00+00:00",
        "east": "2026-03-01T12:00:00+05:00",
        "z damaged": "nonsense",
    }
    for name, created in begun.items():
        create(tmp_path / name).close()
        config = tmp_path / name / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "created": created}))
    assert [p.name for p in list_runs(tmp_path)] == ["b newest", "east", "middle", "a oldest", "z damaged"]
    (tmp_path / "a oldest").rename(tmp_path / "zz renamed")
    assert [p.name for p in list_runs(tmp_path)][3] == "zz renamed"


def test_run_ids_are_safe_file_names_that_differ() -> None:
    ids = {new_run_id() for _ in range(20)}
    assert len(ids) == 20 and all(set(i) <= set("0123456789abcdef-") for i in ids)


# --- folders that are none, broken or newer ---


def test_a_folder_without_config_is_no_run_folder(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(RunFolderError, match="is not a run folder .*choose a folder that a run has written"):
            RunReader(path)


def test_a_newer_folder_asks_for_a_newer_program(reader: RunReader) -> None:
    path = reader.path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 99}))
    with pytest.raises(RunFolderError, match="has format 99, this program reads up to 3; update the program"):
        RunReader(reader.path)


def test_a_folder_of_format_1_has_no_distances_and_is_read(reader: RunReader) -> None:
    path = reader.path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 1}))
    state = full_state(reader.epochs[-1])
    (reader.path / f"epochs/{state.epoch:05d}.npz").write_bytes(
        pack_epoch(replace(state, oss_distances=None, nearest_class=None))
    )
    assert RunReader(reader.path).epoch(state.epoch).oss_distances is None


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "null", '{"config": {}}'])
def test_a_broken_config_is_told_in_one_sentence(reader: RunReader, content: str) -> None:
    (reader.path / "config.json").write_text(content)
    with pytest.raises(BSDError, match="broken|is not a run folder|does not fit this version"):
        RunReader(reader.path)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("samples.npz", lambda r: r.labels),
        ("truth.npz", lambda r: r.truth),
        ("images.npy", lambda r: r.images),
        ("summary.json", lambda r: r.summary),
    ],
)
@pytest.mark.parametrize("content", [b"garbage", b""])
def test_each_broken_file_is_named(reader: RunReader, name: str, read: Callable, content: bytes) -> None:
    (reader.path / name).write_bytes(content)
    with pytest.raises(RunFolderError, match=f"{name} cannot be read: .*The folder is broken"):
        read(reader)


# --- one writer ---


def test_a_second_writer_is_refused_until_the_first_has_gone(writer: RunWriter) -> None:
    with pytest.raises(RunFolderError, match="is being written by another process; stop that run first"):
        RunWriter(writer.path)
    writer.close()
    with RunWriter(writer.path) as second:
        second.epoch(warmup_state(3))
    assert RunReader(writer.path).epochs == [0, 1, 2, 3]


def test_a_refused_writer_leaves_the_first_ones_lock(writer: RunWriter, reader: RunReader) -> None:
    with pytest.raises(RunFolderError):
        RunWriter(writer.path)
    assert reader.status == "running"


def test_looking_at_the_lock_does_not_keep_a_writer_out(writer: RunWriter) -> None:
    writer.close()
    assert not is_locked(writer.path)
    RunWriter(writer.path).close()


def test_the_lock_of_a_killed_writer_is_free(writer: RunWriter) -> None:
    writer.close()
    code = f"from bsd_engine.runs.writer import RunWriter; w = RunWriter({str(writer.path)!r}); print('locked', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as dying:
        assert dying.stdout.readline() == "locked\n"
        reader = RunReader(writer.path)
        assert reader.status == "running"
        with pytest.raises(RunFolderError, match="another process"):
            RunWriter(writer.path)
        dying.send_signal(signal.SIGKILL)
    assert reader.status == "interrupted"
    RunWriter(writer.path).close()


# --- status ---


def test_status_follows_the_run(writer: RunWriter, reader: RunReader) -> None:
    assert reader.status == "running"
    writer.progress(state="paused", epoch=1)
    assert reader.status == "paused"
    writer.progress(state="running", epoch=1)
    assert reader.status == "running"
    writer.close()
    assert reader.status == "interrupted"


@pytest.mark.parametrize("status", ["finished", "stopped", "failed"])
def test_status_of_an_ended_run_is_its_last_word(writer: RunWriter, reader: RunReader, status: str) -> None:
    writer.progress(state="running", epoch=2)
    writer.summary({"status": status})
    writer.close()
    assert reader.status == status


def test_a_writer_that_died_while_paused_is_interrupted(writer: RunWriter, reader: RunReader) -> None:
    writer.progress(state="paused", epoch=1)
    writer.close()
    assert reader.status == "interrupted"


@pytest.mark.parametrize(
    ("status", "resumable"), [("stopped", True), ("failed", True), (None, True), ("finished", False)]
)
def test_an_unfinished_run_with_a_checkpoint_can_be_resumed(
    writer: RunWriter, reader: RunReader, status: str | None, resumable: bool
) -> None:
    writer.checkpoint(2, b"state")
    assert not reader.can_resume  # somebody writes
    if status:
        writer.summary({"status": status})
    writer.close()
    assert reader.can_resume == resumable


def test_without_a_checkpoint_there_is_nothing_to_resume(writer: RunWriter, reader: RunReader) -> None:
    writer.close()
    assert reader.status == "interrupted" and not reader.can_resume


def test_a_resumed_run_takes_its_summary_back(writer: RunWriter, reader: RunReader) -> None:
    writer.summary({"status": "stopped"})
    writer.clear_summary()
    writer.clear_summary()
    writer.close()
    assert reader.summary is None and reader.status == "interrupted"


def test_progress_is_published_at_most_once_an_interval(writer: RunWriter, reader: RunReader) -> None:
    writer.progress(state="running", iteration=1)
    writer.progress(min_interval=60, state="running", iteration=2)
    assert reader.progress["iteration"] == 1
    writer.progress(state="running", iteration=3)
    assert reader.progress["iteration"] == 3


# --- commands ---


def test_commands_reach_the_writer_once_and_in_order(writer: RunWriter) -> None:
    assert writer.new_commands() == []
    for command in ("pause", "resume"):
        send_command(writer.path, command)
    assert writer.new_commands() == ["pause", "resume"]
    send_command(writer.path, "stop")
    assert writer.new_commands() == ["stop"] and writer.new_commands() == []


def test_a_new_writer_can_pass_over_old_commands(writer: RunWriter) -> None:
    send_command(writer.path, "stop")
    writer.close()
    with RunWriter(writer.path) as second:
        second.ignore_commands(1)
        assert second.new_commands() == []
        send_command(writer.path, "pause")
        assert second.new_commands() == ["pause"]


def test_progress_acknowledges_commands(writer: RunWriter, reader: RunReader) -> None:
    send_command(writer.path, "pause")
    writer.new_commands()
    writer.progress(state="paused")
    assert reader.progress["commands_obeyed"] == 1


def test_a_torn_command_counts_once_it_is_whole(writer: RunWriter) -> None:
    path = writer.path / "commands.jsonl"
    path.write_text('{"command": "pau')
    assert writer.new_commands() == []
    path.write_text('{"command": "pause", "time": 1.0}\n')
    assert writer.new_commands() == ["pause"]


@pytest.mark.parametrize(
    "torn",
    [
        b'{"command": "pau',
        b'{"command": "pause", "time": 1',
        b"\xff\xfe{",
        b"nonsense}\n",
        b'["pause"]\n',
        b"{}\n",
        b'{"command": "explode"}\n',
        b"\n\n",
    ],
)
def test_what_is_no_command_is_ignored_and_later_commands_are_not(writer: RunWriter, torn: bytes) -> None:
    """A viewer that died while it wrote must not take the run down, nor the next viewer's command."""
    (writer.path / "commands.jsonl").write_bytes(torn)
    assert writer.new_commands() == []
    send_command(writer.path, "stop")
    assert writer.new_commands() == ["stop"]


# --- writing: atomic, and what a full disk does ---


def test_a_file_is_replaced_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        write_atomic(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


CAUSES = [
    (errno.ENOSPC, "the disk is full; free some space"),
    (errno.EDQUOT, "the disk quota is used up; free some space"),
    (errno.EACCES, "permission is missing; make the folder writable"),
    (errno.EROFS, "the file system is read-only; choose another folder"),
    (errno.EIO, os.strerror(errno.EIO)),
]


def test_images_in_any_order_of_memory_are_written_as_numpy_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 3), np.uint8)
    for part_bytes in (1, 130, 10**6):
        monkeypatch.setattr(atomic, "_PART_BYTES", part_bytes)
        for array in (images, images.transpose(0, 3, 1, 2), images[:0]):
            write_atomic(tmp_path / "ours.npy", npy_parts(array))
            np.save(tmp_path / "numpys.npy", np.ascontiguousarray(array))
            assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "numpys.npy").read_bytes()


@pytest.mark.parametrize(("code", "cause"), CAUSES)
def test_a_disk_that_fills_up_among_the_images_is_one_sentence(
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
def test_an_epoch_that_cannot_be_written_is_one_sentence_and_earlier_ones_stay(
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


def test_a_folder_deleted_during_the_run_is_told(writer: RunWriter) -> None:
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


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", fail_with(errno.EACCES))
    with pytest.raises(StorageError, match="permission is missing"):
        make_folder(tmp_path / "run")


def test_a_command_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the folder is gone"):
        send_command(tmp_path / "absent", "stop")


def test_only_a_new_or_empty_folder_becomes_a_run_folder(tmp_path: Path) -> None:
    make_folder(tmp_path / "new/nested")
    make_folder(tmp_path / "new/nested")
    (tmp_path / "new/nested/file").touch()
    for path in (tmp_path / "new/nested", tmp_path / "new/nested/file"):
        with pytest.raises(
            RunFolderError, match="is not an empty folder; give a new one, or resume the run in it with --resume"
        ):
            make_folder(path)


def test_the_last_two_checkpoints_are_kept(writer: RunWriter) -> None:
    for epoch in (0, 1, 2, 10):
        writer.checkpoint(epoch, bytes([epoch]))
    assert [p.name for p in checkpoint_paths(writer.path)] == ["00002.pt", "00010.pt"]
    assert [p.read_bytes() for p in checkpoint_paths(writer.path)] == [b"\x02", b"\x0a"]


def test_a_run_that_goes_on_from_an_older_checkpoint_forgets_those_it_could_not_read(writer: RunWriter) -> None:
    for epoch in (2, 9, 10, 11):
        writer.checkpoint(epoch, b"damaged" if epoch > 2 else b"whole", keep=(2, 9))
    for epoch in (3, 4):
        writer.checkpoint(epoch, b"whole", keep=(2, 9))
    assert [p.name for p in checkpoint_paths(writer.path)] == ["00002.pt", "00003.pt", "00004.pt"]


def test_a_checkpoint_that_cannot_be_written_costs_no_older_one(
    writer: RunWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for epoch in (0, 1):
        writer.checkpoint(epoch, b"whole")
    with monkeypatch.context() as patch, pytest.raises(StorageError):
        patch.setattr(os, "replace", fail_with(errno.ENOSPC))
        writer.checkpoint(2, b"lost")
    assert [p.name for p in checkpoint_paths(writer.path)] == ["00000.pt", "00001.pt"]
