"""A saved poisoned set is the set that was trained on, whoever loads it again."""

from __future__ import annotations

import csv
import errno
import io
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bsd_engine.cli.main import main
from bsd_engine.cli.training import train_options
from bsd_engine.config.presets import preset, smoke
from bsd_engine.config.settings import BSDConfig
from bsd_engine.data import sources
from bsd_engine.errors import ConfigError, StorageError
from bsd_engine.prepare import export
from bsd_engine.prepare.prepare import PreparedData, prepare

NAMES = ("zebra", "ant", "../bee/..", "wasp")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> BSDConfig:
    """Settings for 80 + 20 colour images of 12x10 pixels in four classes: not sorted by name, one name unsafe."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("set") / "images.npz"
    np.savez(
        path,
        train_images=rng.integers(0, 256, (80, 12, 10, 3), np.uint8),
        train_labels=np.arange(80) % 4,
        test_images=rng.integers(0, 256, (20, 12, 10, 3), np.uint8),
        test_labels=np.arange(20) % 4,
        class_names=np.array(NAMES),
    )
    return smoke().with_settings(
        device="cpu",
        data=f"npz:{path}",
        limit=None,
        attack="wanet",
        target_label=1,
        rate=0.2,
        attack_parameters={"strength": 3.0},
    )


@pytest.fixture(scope="module")
def prepared(config: BSDConfig) -> PreparedData:
    """Their poisoned set."""
    return prepare(config)


def again(config: BSDConfig, spec: str) -> PreparedData:
    """What a run on a saved set would train on."""
    return prepare(config.with_settings(data=spec, attack="none", attack_parameters={}, rate=None))


def listing(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_an_npz_file_gives_back_pixels_labels_and_truth(
    config: BSDConfig, prepared: PreparedData, tmp_path: Path
) -> None:
    written = export.save(prepared, tmp_path / "new/set.npz", "npz")
    assert [path.name for path in written] == ["set.npz", "set.poison.csv"]
    loaded = again(config, f"npz:{written[0]}")
    assert loaded.fingerprint == prepared.fingerprint and loaded.class_names == NAMES
    assert torch.equal(loaded.images, prepared.images) and torch.equal(loaded.labels, prepared.labels)
    with np.load(written[0]) as file:
        for name in ("is_poison", "is_noise", "original_labels", "triggered_images", "triggered_labels"):
            assert np.array_equal(file[name], getattr(prepared, name).numpy()), name
    lines = listing(written[1])
    assert [line["poisoned"] == "1" for line in lines] == prepared.is_poison.tolist()
    assert [line["noise"] == "1" for line in lines] == prepared.is_noise.tolist() and 0 < prepared.is_noise.sum()
    assert [NAMES.index(line["original_label"]) for line in lines] == prepared.original_labels.tolist()


def test_a_folder_gives_back_pixels_and_labels_in_the_order_of_the_files(
    config: BSDConfig, prepared: PreparedData, tmp_path: Path
) -> None:
    (folder,) = export.save(prepared, tmp_path / "set", "folder")
    assert sorted(p.name for p in folder.iterdir()) == ["poison.csv", "test", "train", "triggered"]
    loaded = again(config, f"folder:{folder}")
    number = [int(Path(file).stem) for file in loaded.train_files]
    assert torch.equal(loaded.images, prepared.images[number]) and torch.equal(loaded.labels, prepared.labels[number])
    order = prepared.test_labels.argsort(stable=True)
    assert torch.equal(loaded.test_images, prepared.test_images[order])
    lines = {line["file"]: line for line in listing(folder / "poison.csv")}
    for file, label in zip(loaded.train_files, loaded.labels.tolist()):
        line = lines[f"train/{file.removeprefix('train/')}"]
        assert NAMES.index(line["given_label"]) == label and (line["poisoned"] == "1") == bool(
            prepared.is_poison[int(line["index"])]
        )
    assert [p.name for p in (folder / "triggered").iterdir()] == ["1_ant"]
    assert len(list((folder / "triggered").rglob("*.png"))) == len(prepared.triggered_labels)


def test_large_grey_images_survive_with_the_options_that_are_named(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "large.npz",
        images=np.random.default_rng(0).integers(0, 256, (8, 70, 70), np.uint8),
        labels=np.arange(8) % 2,
    )
    settings = smoke().with_settings(
        device="cpu", data=f"npz:{tmp_path / 'large.npz'}", limit=None, target_label=0, rate=0.5
    )
    prepared = prepare(settings)
    (folder,) = export.save(prepared, tmp_path / "set", "folder")
    words = shlex.split(export.load_words(prepared, folder, "folder"))
    loaded = prepare(train_options(["--preset", "smoke", "--device", "cpu", *words]).config)
    number = [int(Path(file).stem) for file in loaded.train_files]
    assert torch.equal(loaded.images, prepared.images[number]) and not (folder / "test").exists()


def test_folders_sort_in_the_order_of_the_classes() -> None:
    assert export.folder_names(("ant", "bee", "wasp")) == ("ant", "bee", "wasp")
    twelve = tuple(f"{i}" for i in range(12))
    for names in (NAMES, ("b", "a"), ("a", "a"), (".hidden", "x"), ("", " "), twelve, ("a/b", "c"), ("x" * 300, "y")):
        folders = export.folder_names(names)
        assert list(folders) == sorted(set(folders)) and len(folders) == len(names)
        assert all(name[0] not in ". " and "/" not in name and len(name) < 120 for name in folders)


@pytest.mark.parametrize("form", ["npz", "folder"])
def test_nothing_is_written_over(prepared: PreparedData, tmp_path: Path, form: Any) -> None:
    place = tmp_path / "set.npz"
    place.mkdir()
    (place / "mine.txt").write_text("thesis")
    with pytest.raises(ConfigError, match="is a folder; give the name of a file|is not an empty folder; give a new"):
        export.save(prepared, place, form)
    assert [p.name for p in tmp_path.rglob("*")] == ["set.npz", "mine.txt"]
    (tmp_path / "list.poison.csv").touch()
    with pytest.raises(ConfigError, match="list.poison.csv exists already"):
        export.save(prepared, tmp_path / "list.npz", "npz")


@pytest.mark.parametrize("form", ["npz", "folder"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    prepared: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    monkeypatch.setattr(export, "write_png", full)
    with pytest.raises(StorageError, match=r"the disk is full; free some space\. Nothing was saved"):
        export.save(prepared, tmp_path / "set", form)
    assert list(tmp_path.iterdir()) == []


def test_a_set_without_known_poison_is_refused(config: BSDConfig, tmp_path: Path) -> None:
    clean = again(config, config.data.data)
    with pytest.raises(ConfigError, match="nothing would be poisoned"):
        export.save(clean, tmp_path / "set", "folder")


def test_the_bytes_of_a_download_are_the_file(prepared: PreparedData, tmp_path: Path) -> None:
    export.save(prepared, tmp_path / "set.npz", "npz")
    with np.load(tmp_path / "set.npz") as file, np.load(io.BytesIO(export.npz_bytes(prepared))) as download:
        assert set(file.files) == set(download.files)
        assert all(np.array_equal(file[name], download[name]) for name in file.files)


# -- command line ----------------------------------------------------------------------------------


@pytest.fixture
def said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Runs `python -m bsd_engine` in an empty folder; status, output, errors."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: (main(list(words)), *capsys.readouterr())


def test_the_command_saves_what_the_configuration_describes(
    config: BSDConfig, prepared: PreparedData, said: Callable, tmp_path: Path
) -> None:
    status, out, _ = said(*shlex.split(export.command(config))[3:])
    assert status == 0 and f"{int(prepared.is_poison.sum())} poisoned and 16 noise images of 80 training images" in out
    assert again(config, f"npz:{tmp_path / 'poisoned.npz'}").fingerprint == prepared.fingerprint
    words = out.splitlines()[-1].removeprefix("train on it with: ")
    assert words == "--data npz:poisoned.npz --attack none --limit None"
    assert (
        said(*shlex.split(export.command(config, "as_folder"))[3:])[0] == 0
        and (tmp_path / "as_folder/poison.csv").is_file()
    )


@pytest.mark.parametrize("parameters", [{}, {"pattern": "patch"}])
def test_the_command_does_not_fall_back_on_the_presets_parameters(parameters: dict[str, str]) -> None:
    config = preset("demo-gtsrb").with_settings(attack_parameters=parameters)
    words = shlex.split(export.command(config))[4:-2]
    assert train_options(words).config.attack == config.attack


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "poison needs --out"),
        (["--out", "x", "--attack", "none"], "nothing would be poisoned"),
        (["--out", "x", "--target", "44"], "target is 44"),
        (["--out", "x", "--rate", "0.001", "--limit", "40"], "poisons none of"),
        (["--out", "x", "--attack", "wanet", "--attack-parameters", "depth", "3"], "wanet has no parameter 'depth'"),
        (["--out", "/dev/null/x"], "Cannot write"),
    ],
)
def test_what_cannot_be_saved_is_one_sentence(
    config: BSDConfig, said: Callable, tmp_path: Path, words: list[str], expected: str
) -> None:
    status, out, err = said("poison", "--preset", "smoke", "--device", "cpu", "--data", config.data.data, *words)
    assert status == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1 and expected in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["npz", "folder"])
def test_class_names_that_are_no_text_can_be_written_and_read_again(
    prepared: PreparedData, tmp_path: Path, form: Any
) -> None:
    """A folder may have any bytes as its name; in poison.csv it gave a traceback."""
    odd = replace(prepared, class_names=("a\udcff", "＝1", *prepared.class_names[2:]))
    written = export.save(odd, tmp_path / "set.npz", form)
    listing = written[1] if form == "npz" else written[0] / "poison.csv"
    cells = {cell for line in csv.reader(listing.read_text("utf-8").splitlines()) for cell in line}
    assert {"a\\udcff", "'＝1"} <= cells and "＝1" not in cells
    names = sources.open_source(f"{form}:{written[0]}").class_names
    assert names[0] == ("a\\udcff" if form == "npz" else "0_a_")
