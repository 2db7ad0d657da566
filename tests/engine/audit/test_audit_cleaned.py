"""The cleaned set as a folder: which files it holds, what is copied, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bsd_engine.audit.export import cleaned
from bsd_engine.audit.export.commands import write_cleaned, write_report, write_weights
from bsd_engine.audit.features import features
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import suspects
from bsd_engine.data import dataset
from bsd_engine.errors import BSDError, ConfigError, RunFolderError, StorageError
from bsd_engine.prepare.prepare import prepare
from bsd_engine.runs.origin import provenance
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run
from tests.support.origins import edited_copy, own_copy
from tests.support.short_runs import short


def test_the_cleaned_folder_has_the_kept_files_as_they_were_and_is_read_again(
    own_run: Path, own_folder: Path, tmp_path: Path
) -> None:
    chosen = write_cleaned(own_run, tmp_path / "clean", "pool")
    read = dataset.load(f"folder:{tmp_path / 'clean'}")
    run = RunReader(own_run)
    keep = chosen.keep
    assert (keep == suspects(RunHistory.of(run)).in_pool).all() and not keep.all()
    assert len(read.train_images) == keep.sum() and len(read.test_images) == 12
    np.testing.assert_array_equal(read.train_labels.numpy(), run.labels[keep])
    np.testing.assert_array_equal(read.train_images.numpy(), run.images[keep])
    names = [p.name for p in (tmp_path / "clean").rglob("*")]
    assert (
        not any(set("<>|'=") & set(name) for name in names)
        and any("日本" in name for name in names)
        and any("é" in name for name in names)
    )
    file = next(p for p in (tmp_path / "clean/train").rglob("*.png") if "é 5" in p.name)
    assert (
        file.read_bytes() == (own_folder / "train" / run.class_names[int(file.parent.name[0])] / "é 5.png").read_bytes()
    )


def test_without_its_folder_the_cleaned_set_is_made_of_the_record(recorded_run: Path, tmp_path: Path) -> None:
    keep = np.zeros(1000, bool)
    keep[10:40] = True
    run = RunReader(recorded_run)
    cleaned.save_cleaned(run, keep, tmp_path / "clean")
    files = sorted((tmp_path / "clean/train").rglob("*.png"), key=lambda p: p.name)
    assert [int(p.stem) for p in files] == list(range(10, 40))
    np.testing.assert_array_equal(np.asarray(Image.open(files[0])), run.images[10, 0])
    assert (tmp_path / "clean/clean_index.txt").read_text().split() == [str(i) for i in range(10, 40)]


def test_a_link_that_has_come_to_lead_out_is_not_followed(own_run: Path, own_folder: Path, tmp_path: Path) -> None:
    run = RunReader(own_run)
    secret = tmp_path / "secret.png"
    secret.write_text("a secret")
    keep = np.zeros(72, bool)
    keep[3] = True
    original = own_folder / run.files[3]
    content = original.read_bytes()
    original.unlink()
    original.symlink_to(secret)
    try:
        cleaned.save_cleaned(run, keep, tmp_path / "clean")
    finally:
        original.unlink()
        original.write_bytes(content)
    (file,) = (tmp_path / "clean/train").rglob("*.png")
    assert file.read_bytes() != secret.read_bytes() and file.stem.isdigit()


def one_of_each(run: RunReader) -> np.ndarray:
    keep = np.zeros(run.num_samples, bool)
    keep[[3, 30]] = True
    return keep


@pytest.mark.parametrize("folder", ["{folder}", "~"])
def test_from_a_foreign_run_no_file_of_this_machine_is_copied(
    own_run: Path, own_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setenv("HOME", str(own_folder))
    run = RunReader(
        edited_copy(
            own_run, tmp_path / "foreign", settings={"data": {"data": f"folder:{folder.format(folder=own_folder)}"}}
        )
    )
    assert run.files is not None and not run.is_own
    cleaned.save_cleaned(run, one_of_each(run), tmp_path / "clean")
    assert "not looked for on this machine" in cleaned.originals_left_out(run)
    files = sorted(p.relative_to(tmp_path / "clean").as_posix() for p in (tmp_path / "clean").rglob("*.png"))
    assert [Path(name).stem for name in files] == ["03", "30"] and all(name.startswith("train/") for name in files)
    assert cleaned.originals_left_out(RunReader(own_run)) == ""


def test_from_a_copy_of_ones_own_of_a_foreign_run_neither(own_run: Path, tmp_path: Path) -> None:
    adopted = edited_copy(own_run, tmp_path / "adopted", adopted_from="/somewhere/else")
    provenance.write_signature(adopted)
    run = RunReader(adopted)
    assert run.is_own and not run.trusts_paths
    cleaned.save_cleaned(run, one_of_each(run), tmp_path / "clean")
    assert cleaned.originals_left_out(run) and not (tmp_path / "clean/test").exists()


def test_test_images_with_similar_names_are_all_copied(tmp_path: Path) -> None:
    root, rng = tmp_path / "set", np.random.default_rng(0)
    names = [f"{'x' * 95}{i}.png" for i in range(3)] + ["a:b.png", "a?b.png", "deep/a_b.png", "字" * 80 + ".png"]
    for part, files in (("train", [f"{i}.png" for i in range(24)]), ("test", names)):
        for name in ("cat", "dog"):
            for file in files:
                path = root / part / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 255, (12, 12), np.uint8)).save(path)
    config = short(data=f"folder:{root}", attack="none", limit=None, alpha=0.9, beta=0.5, selective_drop=False)
    record_run(config, tmp_path / "run", prepared=prepare(config))
    cleaned.save_cleaned(RunReader(tmp_path / "run"), np.arange(48) < 40, tmp_path / "clean")
    read, clean = dataset.load(f"folder:{root}"), dataset.load(f"folder:{tmp_path / 'clean'}")
    assert len(clean.test_images) == 14
    np.testing.assert_array_equal(clean.test_images, read.test_images)
    np.testing.assert_array_equal(clean.test_labels, read.test_labels)
    assert all(len(os.fsencode(p.name)) < 200 for p in (tmp_path / "clean").rglob("*"))


def test_names_that_collide_in_the_file_system_are_noticed(
    recorded_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = cleaned.write_png
    monkeypatch.setattr(cleaned, "write_png", lambda pixels, path: write(pixels, path.with_name("same.png")))
    with pytest.raises(StorageError, match="names collide"):
        cleaned.save_cleaned(RunReader(recorded_run), np.arange(1000) < 5, tmp_path / "clean")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("export", ["cleaned", "report", "weights", "features"])
def test_damaged_images_are_exported_nowhere(
    own_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export: str
) -> None:
    def damaged(run: RunReader) -> None:
        raise RunFolderError("images.npy is damaged")

    monkeypatch.setattr(RunReader, "check_images", damaged)
    with pytest.raises(RunFolderError, match="is damaged"):
        if export == "cleaned":
            write_cleaned(own_run, tmp_path / "out")
        elif export == "report":
            write_report(own_run, tmp_path / "out")
        elif export == "weights":
            write_weights(own_run, tmp_path / "out")
        else:
            features(RunReader(own_copy(own_run, tmp_path / "copy")))
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over_and_nothing_half(
    recorded_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").touch()
    run, keep = RunReader(recorded_run), np.ones(1000, bool)
    with pytest.raises(ConfigError, match="nothing is written over"):
        cleaned.save_cleaned(run, keep, tmp_path / "full")
    with pytest.raises(ConfigError, match="nothing to save"):
        cleaned.save_cleaned(run, ~keep, tmp_path / "none")
    monkeypatch.setattr(cleaned, "write_png", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(BSDError, match=r"the disk is full; free some space\. Nothing was saved"):
        cleaned.save_cleaned(run, keep, tmp_path / "half")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full"]
