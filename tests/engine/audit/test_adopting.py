"""A copy of one's own from a foreign run: all that is sound is in it, what is damaged is named, and it can be used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from bsd_engine.audit.adopting import adopt
from bsd_engine.audit.judgements import Judgements
from bsd_engine.cli.main import main
from bsd_engine.errors import RunFolderError
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.recordings import library
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.origin.digests import digests_of
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import branch_run, load_checkpoint, record_run, resume_run
from bsd_engine.runs.stored_models import load_models, load_undefended
from bsd_engine.runs.writer import write_map
from tests.support.run_edits import edit_json, record, without_digests
from tests.support.short_runs import differences, short
from tests.support.training_runs import command_at

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def finished(small_images: PreparedData, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A finished run with a map and judgements."""
    path = tmp_path_factory.mktemp("finished") / "run"
    record_run(short(), path, prepared=small_images)
    write_map(path, 2, np.ones((len(RunReader(path).landmark_idx), 2), np.float32))
    verdicts = Judgements(path, RunReader(path).num_samples)
    verdicts.give([3, 4], "remove", "a white square", who="ada")
    verdicts.give([3], None, who="bob")
    return path


@pytest.fixture
def foreign(finished: Path, tmp_path: Path) -> Path:
    """The same as it comes from somebody else."""
    return Path(shutil.copytree(finished, tmp_path / "their run"))


def states(path: Path) -> list:
    return [RunReader(path).epoch(e) for e in RunReader(path).epochs]


def test_the_copy_holds_everything_and_is_ones_own(foreign: Path, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in foreign.rglob("*") if p.is_file()}
    assert adopt(foreign, tmp_path / "mine") == ()
    theirs, mine = RunReader(foreign), RunReader(tmp_path / "mine")
    assert not theirs.is_own and mine.is_own and not mine.trusts_paths and mine.adopted_from == "their run"
    assert differences(states(foreign), states(mine.path)) == []
    for name in ("config", "class_names", "fingerprint", "summary", "map_epochs", "created", "status", "files"):
        assert getattr(mine, name) == getattr(theirs, name), name
    for ours, original in ((mine.images, theirs.images), (mine.labels, theirs.labels), (mine.map(2), theirs.map(2))):
        np.testing.assert_array_equal(ours, original)
    np.testing.assert_array_equal(mine.truth.is_poison, theirs.truth.is_poison)
    assert [p.name for p in checkpoint_paths(mine.path)] == [p.name for p in checkpoint_paths(foreign)]
    assert Judgements(mine.path, 9**4).rows() == Judgements(foreign, 9**4).rows() != ()
    assert Judgements(mine.path, 9**4).standing()[4].who == "ada"
    assert {p: p.read_bytes() for p in foreign.rglob("*") if p.is_file()} == before
    assert "their run" not in (tmp_path / "mine/digests.jsonl").read_text()


def test_the_copy_can_be_branched_from(foreign: Path, tmp_path: Path, small_images: PreparedData) -> None:
    adopt(foreign, tmp_path / "mine")
    branch_run(tmp_path / "mine", 1, short(), tmp_path / "branch", prepared=small_images)
    assert differences(states(foreign), states(tmp_path / "branch")) == []


def test_a_stopped_run_is_resumed_from_its_copy_to_the_same_end(
    finished: Path, tmp_path: Path, small_images: PreparedData
) -> None:
    record_run(
        short(),
        tmp_path / "run",
        prepared=small_images,
        on_event=command_at(tmp_path / "run", "selective_drop", "stop"),
    )
    foreign = Path(shutil.copytree(tmp_path / "run", tmp_path / "theirs"))
    assert adopt(foreign, tmp_path / "mine") == () and RunReader(tmp_path / "mine").status == "stopped"
    resume_run(tmp_path / "mine", prepared=small_images)
    assert differences(states(finished), states(tmp_path / "mine")) == []


def test_damaged_parts_are_left_out_and_named(
    finished: Path, foreign: Path, tmp_path: Path, small_images: PreparedData
) -> None:
    for name in ("epochs/00003.npz", "truth.npz", "maps/00002.npz", "checkpoints/00001.pt"):
        content = bytearray((foreign / name).read_bytes())
        content[len(content) // 2] ^= 4
        (foreign / name).write_bytes(content)
    left_out = adopt(foreign, tmp_path / "mine")
    for part in ("epochs/00003.npz", "truth.npz", "maps/00002.npz", "checkpoints/00001.pt", "2 epochs after it"):
        assert sum(part in sentence for sentence in left_out) == 1, part
    assert all("\n" not in sentence for sentence in left_out)
    mine = RunReader(tmp_path / "mine")
    assert mine.epochs == [0, 1, 2] and mine.truth is None and mine.map_epochs == [] and mine.status == "interrupted"
    assert [p.name for p in checkpoint_paths(mine.path)] == ["00000.pt", "00002.pt"]
    resume_run(mine.path, prepared=small_images)
    assert differences(states(finished), states(mine.path)) == []


def test_without_images_or_settings_there_is_no_copy(foreign: Path, tmp_path: Path) -> None:
    content = bytearray((foreign / "images.npy").read_bytes())
    content[-1] ^= 1
    (foreign / "images.npy").write_bytes(content)
    with pytest.raises(RunFolderError, match="images.npy cannot be read: it differs from its digest"):
        adopt(foreign, tmp_path / "mine")
    (foreign / "config.json").write_text("{")
    with pytest.raises(RunFolderError, match="config.json cannot be read"):
        adopt(foreign, tmp_path / "mine")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["their run"]


def test_a_checkpoint_with_an_impossible_value_is_not_copied(foreign: Path, tmp_path: Path) -> None:
    content = load_checkpoint(foreign, 5)
    for name, key, value in (("00004.pt", "epoch", 3), ("00005.pt", "_poison_cumulative", -1)):
        torch.save({**content, key: value}, foreign / "checkpoints" / name)
        record(foreign, f"checkpoints/{name}")
    left_out = adopt(foreign, tmp_path / "mine")
    assert len(left_out) == 2 and "it is of epoch 3" in left_out[0] and "_poison_cumulative is -1" in left_out[1]
    assert [p.name for p in checkpoint_paths(tmp_path / "mine")][-1] == "00003.pt"


def test_the_path_of_a_damaged_checkpoint_is_told_as_it_is(foreign: Path, tmp_path: Path) -> None:
    file = checkpoint_paths(foreign)[-1]
    file.write_bytes(b"damaged")
    source = tmp_path / "elsewhere" / ".." / foreign.name
    (tmp_path / "elsewhere").mkdir()
    (sentence,) = adopt(source, tmp_path / "mine")
    assert str(source / "checkpoints" / file.name) in sentence and not sentence.endswith("..")


def test_links_and_extra_files_are_not_copied(foreign: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a private key")
    (foreign / "notes.txt").symlink_to(secret)
    (foreign / "undefended.pt").symlink_to(secret)
    (foreign / "lock").touch()
    (left_out,) = adopt(foreign, tmp_path / "mine")
    assert "undefended.pt" in left_out and "it is a link" in left_out
    written = {p.name for p in (tmp_path / "mine").iterdir()}
    assert not written & {"notes.txt", "undefended.pt", "lock"}
    assert not any(b"private key" in p.read_bytes() for p in (tmp_path / "mine").rglob("*") if p.is_file())


def test_a_run_of_an_older_format_becomes_one_of_the_present_format(foreign: Path, tmp_path: Path) -> None:
    without_digests(foreign)
    assert adopt(foreign, tmp_path / "mine") == ()
    assert digests_of(tmp_path / "mine") is not None and differences(states(foreign), states(tmp_path / "mine")) == []


def test_only_a_new_folder_is_written(foreign: Path, finished: Path) -> None:
    with pytest.raises(RunFolderError, match="is not an empty folder"):
        adopt(foreign, finished)


@pytest.mark.skipif("healthy" not in library.names(), reason="the recording is missing")
def test_a_recording_can_be_adopted_and_judged(tmp_path: Path) -> None:
    recording = library.open_recording("healthy")
    assert adopt(recording, tmp_path / "mine") == ()
    mine = RunReader(tmp_path / "mine")
    assert mine.is_own and mine.epochs == RunReader(recording).epochs and mine.map_epochs == mine.epochs
    last = int(checkpoint_paths(mine.path)[-1].stem)
    assert load_models(mine.path, last).epoch == last and load_undefended(mine.path) is not None
    Judgements(mine.path, mine.num_samples).give([1], "keep")
    with pytest.raises(RunFolderError, match="This is a recording"):
        branch_run(mine.path, last, mine.config, tmp_path / "branch")


def test_the_command_copies_and_names_what_it_left_out(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit_json(foreign, "config.json", branched_from={"run": "older", "epoch": 1})
    (foreign / "truth.npz").write_bytes(b"PK")
    assert main(["adopt", str(foreign), "--out", str(tmp_path / "mine")]) == 0
    told = capsys.readouterr()
    assert told.out == f"written: {tmp_path}/mine (6 epochs)\n"
    assert told.err.startswith("left out: ") and "truth.npz" in told.err and told.err.count("\n") == 1
    assert json.loads((tmp_path / "mine/config.json").read_text())["branched_from"] == {"run": "older", "epoch": 1}
    assert main(["adopt", str(foreign), "--out", str(tmp_path / "mine")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
