"""A run folder is read exactly wherever it is, and each problem with it gives one sentence."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsd_engine.config.presets import smoke
from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.events import EpochState
from bsd_engine.runs.epoch_file import pack_epoch, unpack_epoch
from bsd_engine.runs.layout import list_runs, new_run_id
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.writer import RunWriter
from tests.support.run_edits import edit_json, without_digests
from tests.support.small_runs import SAMPLES, assert_same, create, full_state, warmup_state


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


def test_the_ground_truth_may_be_unknown(tmp_path: Path) -> None:
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
    """The writer dies before the rename, so the incomplete file has another name."""
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
        os.utime(path, ns=(time_ns, time_ns))  # a new time for each file, whatever the clock's resolution
        try:
            assert_same(reader.epoch(1), warmup_state(1))
        except RunFolderError:
            pass


def test_an_epoch_that_a_resumed_run_repeats_is_read_again(writer: RunWriter, reader: RunReader) -> None:
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


def test_runs_are_ordered_by_their_start_whatever_their_names(tmp_path: Path) -> None:
    begun = {
        "middle": "2026-02-01T12:00:00+00:00",
        "b newest": "2026-03-01T12:00:00+02:00",
        "a oldest": "2026-01-01T12:00:00+00:00",
        "east": "2026-03-01T12:00:00+05:00",
        "z damaged": "nonsense",
    }
    for name, created in begun.items():
        create(tmp_path / name).close()
        edit_json(tmp_path / name, "config.json", created=created)
    assert [p.name for p in list_runs(tmp_path)] == ["b newest", "east", "middle", "a oldest", "z damaged"]
    (tmp_path / "a oldest").rename(tmp_path / "zz renamed")
    assert [p.name for p in list_runs(tmp_path)][3] == "zz renamed"


def test_run_ids_are_safe_file_names_that_differ() -> None:
    ids = {new_run_id() for _ in range(20)}
    assert len(ids) == 20 and all(set(i) <= set("0123456789abcdef-") for i in ids)


def test_a_folder_without_config_is_not_a_run_folder(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(RunFolderError, match="is not a run folder .*choose a folder that a run has written"):
            RunReader(path)


def test_a_newer_folder_requires_a_newer_program(reader: RunReader) -> None:
    edit_json(reader.path, "config.json", format_version=99)
    with pytest.raises(RunFolderError, match="has format 99, this program reads up to 4; update the program"):
        RunReader(reader.path)


def test_a_folder_of_format_1_has_no_distances_and_is_read(reader: RunReader) -> None:
    without_digests(reader.path)
    edit_json(reader.path, "config.json", format_version=1)
    state = full_state(reader.epochs[-1])
    (reader.path / f"epochs/{state.epoch:05d}.npz").write_bytes(
        pack_epoch(replace(state, oss_distances=None, nearest_class=None))
    )
    assert RunReader(reader.path).epoch(state.epoch).oss_distances is None


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "null", '{"config": {}}'])
def test_a_broken_config_is_reported_in_one_sentence(reader: RunReader, content: str) -> None:
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
