"""Damaged checkpoints are found before torch reads them and named, and the newest sound one is taken."""

from __future__ import annotations

import logging
import random
import shutil
from pathlib import Path

import pytest
import torch

from bsd_engine.errors import RunFolderError
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.runs import checkpoints
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import load_checkpoint, record_run, resume_run
from bsd_engine.runs.stored_models import StoredModels
from tests.support.origins import own_copy
from tests.support.run_edits import without_digests
from tests.support.short_runs import differences, run, short
from tests.support.training_runs import command_at

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def stopped(small_images: PreparedData, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A run stopped within its last epoch, with a checkpoint after each of the epochs before."""
    path = tmp_path_factory.mktemp("stopped") / "run"
    record_run(short(), path, prepared=small_images, on_event=command_at(path, "selective_drop", "stop"))
    return path


def flip(file: Path, bit: int) -> None:
    content = bytearray(file.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)


def bits(file: Path, count: int) -> list[int]:
    draw = random.Random(0)
    return [draw.randrange(8 * file.stat().st_size) for _ in range(count)]


def test_a_flipped_bit_is_refused_by_its_digest(stopped: Path, tmp_path: Path) -> None:
    path = own_copy(stopped, tmp_path / "run")
    file = checkpoint_paths(path)[-1]
    for bit in bits(file, 40):
        flip(file, bit)
        with pytest.raises(ValueError, match="it differs from its digest"):
            checkpoints.read(file)
        flip(file, bit)
    checkpoints.read(file)


def test_without_digests_the_checksums_of_the_zip_file_find_every_flip_that_matters(
    stopped: Path, tmp_path: Path
) -> None:
    """Torch compares no checksums: it loads most of these files silently."""
    path = own_copy(stopped, tmp_path / "run")
    without_digests(path)
    file = checkpoint_paths(path)[-1]
    sound, refused = checkpoints.pack(checkpoints.read(file)), 0
    for bit in bits(file, 40):
        flip(file, bit)
        try:
            assert checkpoints.pack(checkpoints.read(file)) == sound, bit
        except ValueError:
            refused += 1
        flip(file, bit)
    assert refused > 20


def test_the_newest_sound_checkpoint_is_taken_and_the_damaged_one_named(
    stopped: Path, tmp_path: Path, small_images: PreparedData, caplog: pytest.LogCaptureFixture
) -> None:
    path = own_copy(stopped, tmp_path / "run")
    older, newest = checkpoint_paths(path)[-2:]
    flip(newest, 8 * newest.stat().st_size // 2)
    (told,) = RunReader(path).damaged_checkpoints()
    assert f"The checkpoint {newest} is damaged: it differs from its digest" in told
    assert StoredModels.of(RunReader(path)).epoch == int(older.stem)
    with pytest.raises(RunFolderError, match=f"{newest.name} is damaged: it differs from its digest"):
        load_checkpoint(path, int(newest.stem))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        resume_run(path, prepared=small_images)
    assert [r.getMessage() for r in caplog.records] == [f"{told} {older.name} is used instead."]
    reader = RunReader(path)
    assert differences([reader.epoch(e) for e in reader.epochs], run(short(), small_images)) == []
    assert reader.damaged_checkpoints() == ()


def test_containers_that_contain_themselves_or_others_a_million_times_are_refused_or_read_quickly(
    tmp_path: Path,
) -> None:
    knot: list = [1]
    knot.append(knot)
    ring: dict = {"a": {}}
    ring["a"]["b"] = ring
    deep: list = []
    for _ in range(50):
        deep = [deep]
    for value in (knot, ring, deep):
        torch.save({"epoch": 1, "models": value}, tmp_path / "x.pt")
        with pytest.raises(ValueError, match="contains itself or is nested too deeply"):
            checkpoints.read(tmp_path / "x.pt")
    laughs: list = [torch.zeros(1)]
    for _ in range(15):
        laughs = [laughs] * 30
    torch.save({"epoch": 1, "models": laughs}, tmp_path / "x.pt")
    assert checkpoints.read(tmp_path / "x.pt")["epoch"] == 1


def test_all_checkpoints_damaged_says_which(stopped: Path, tmp_path: Path) -> None:
    path = own_copy(stopped, tmp_path / "run")
    for file in checkpoint_paths(path):
        shutil.copy(path / "samples.npz", file)
    with pytest.raises(RunFolderError, match="has no readable checkpoint.*00000.pt is damaged") as told:
        resume_run(path)
    assert "\n" not in str(told.value)
