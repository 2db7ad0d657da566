"""Image files become one array whatever their number, and a large set is decoded once."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bsd_engine.data import dataset, decoded_cache, decoding
from bsd_engine.data.decoded_cache import decoded
from bsd_engine.errors import DataError


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def colours(seed: int, size: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Seven colour images in two class folders."""
    return [write(tmp_path / "set" / name / f"{i}.bmp", colours(i)) for i, name in enumerate(["ant"] * 4 + ["bee"] * 3)]


@pytest.fixture
def keep_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sets are kept as large ones are."""
    monkeypatch.setattr(decoded_cache, "SMALLEST_BYTES", 0)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_CHUNK", 3)


def fail_with(code: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


# --- decoding ---


@pytest.mark.usefixtures("small_chunks")
def test_every_image_is_in_its_place(files: list[Path]) -> None:
    np.testing.assert_array_equal(decoding.decode(files), np.stack([colours(i) for i in range(7)]))


@pytest.mark.usefixtures("small_chunks")
def test_sizes_and_modes_mix(files: list[Path], tmp_path: Path) -> None:
    grey = write(tmp_path / "set/ant/grey.png", np.full((12, 12), 77, np.uint8))
    np.testing.assert_array_equal(decoding.decode([*files, grey])[7], np.full((12, 12, 3), 77))
    other = write(tmp_path / "set/ant/wide.png", np.full((10, 40), 90, np.uint8))
    mixed = decoding.decode([*files, grey, other])
    assert mixed.shape == (9, 32, 32, 3) and (mixed[7] == 77).all() and (mixed[8] == 90).all()
    assert decoding.decode([grey, other], 9).shape == (2, 9, 9, 1)


def test_an_alpha_channel_is_dropped(tmp_path: Path) -> None:
    pixels = np.dstack([colours(0), np.zeros((12, 12), np.uint8)])
    np.testing.assert_array_equal(decoding.decode([write(tmp_path / "x.png", pixels)])[0], colours(0))


def test_files_with_a_sound_header_and_broken_pixels_are_counted_with_the_others(files: list[Path]) -> None:
    photo = write(files[0].parent / "photo.jpg", colours(0, 64))
    photo.write_bytes(photo.read_bytes()[:-900])
    with Image.open(photo) as image:
        assert image.size == (64, 64)
    files[1].write_bytes(b"no image")
    with pytest.raises(
        DataError, match=r"2 of 8 images cannot be read \(ant/1.bmp, ant/photo.jpg; .*\); remove or replace them\.$"
    ):
        decoding.decode([*files, photo])


CHANGES = {
    "gone": (lambda path: path.unlink(), "No such file"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:100]), "truncated"),
    "no image any more": (
        lambda path: path.write_text("x" * 500),
        "it begins with the bytes b'xxxxxxxx', expected a picture",
    ),
    "another size": (lambda path: write(path, colours(0, 13)), "its size changed while"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("keeps", [False, True])
def test_a_file_that_changes_between_header_and_pixels_is_named(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, keeps: bool
) -> None:
    survey, (act, said) = decoding.survey, CHANGES[change]

    def survey_then_change(*arguments: object) -> tuple:
        found = survey(*arguments)
        act(files[5])
        return found

    monkeypatch.setattr(decoded_cache, "survey", survey_then_change)
    monkeypatch.setattr(decoded_cache, "SMALLEST_BYTES", 0 if keeps else 10**9)
    with pytest.raises(DataError, match=rf"1 of 7 images cannot be read \(bee/5.bmp; .*{said}"):
        decoded(files, tmp_path / "set", None, tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*"))


def test_a_grey_file_that_turns_to_colour_is_named(tmp_path: Path) -> None:
    grey = [write(tmp_path / f"set/{i}.png", np.full((12, 12), i, np.uint8)) for i in range(2)]
    form, broken = decoding.survey(grey)
    write(grey[1], colours(0))
    with pytest.raises(DataError, match="it changed from grey to colour"):
        decoding.decode_in_memory(grey, form, broken)


@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_are_resized_as_files_are(tmp_path: Path, channels: int) -> None:
    pixels = [colours(i, 20)[:, :, :channels].squeeze() for i in range(3)]
    from_files = decoding.decode([write(tmp_path / f"{i}.png", p) for i, p in enumerate(pixels)], 9)
    stacked = np.stack(pixels).reshape(3, 20, 20, channels)
    np.testing.assert_array_equal(decoding.resize(stacked, 9), from_files)
    assert decoding.resize(stacked, 20) is stacked


def test_every_source_obeys_the_image_size(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "set.npz",
        images=np.stack([colours(i, 20) for i in range(4)]),
        labels=[0, 0, 1, 1],
        test_images=np.zeros((2, 12, 14), np.uint8),
        test_labels=[0, 1],
    )
    with pytest.raises(DataError, match="test images are 1x10x10, the training images 3x10x10"):
        dataset.load(f"npz:{tmp_path / 'set.npz'}", image_size=10)
    loaded = dataset.load("bundled", limit=20, image_size=10)
    assert loaded.train_images.shape == (20, 1, 10, 10) and loaded.test_images.shape == (2000, 1, 10, 10)


# --- kept on disk ---


@pytest.mark.usefixtures("keep_all", "small_chunks")
def test_a_second_opening_decodes_nothing(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = decoded(files, tmp_path / "set", None, tmp_path / "cache")
    np.testing.assert_array_equal(first, decoding.decode(files))
    monkeypatch.setattr(decoded_cache, "survey", fail_with(errno.EIO))
    np.testing.assert_array_equal(decoded(files, tmp_path / "set", None, tmp_path / "cache"), first)
    assert [p.suffix for p in (tmp_path / "cache").iterdir()] == [".npy"]


@pytest.mark.usefixtures("keep_all")
def test_changes_to_the_array_stay_out_of_the_file(files: list[Path], tmp_path: Path) -> None:
    first = decoded(files, tmp_path / "set", None, tmp_path / "cache")
    first[:] = 0
    np.testing.assert_array_equal(decoded(files, tmp_path / "set", None, tmp_path / "cache"), decoding.decode(files))


@pytest.mark.usefixtures("keep_all")
def test_a_changed_image_is_seen_even_with_its_old_size_and_time(files: list[Path], tmp_path: Path) -> None:
    decoded(files, tmp_path / "set", None, tmp_path / "cache")
    before = files[2].stat()
    write(files[2], colours(99))
    os.utime(files[2], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert files[2].stat().st_size == before.st_size
    np.testing.assert_array_equal(decoded(files, tmp_path / "set", None, tmp_path / "cache")[2], colours(99))


@pytest.mark.usefixtures("keep_all")
def test_order_choice_and_size_are_told_apart(files: list[Path], tmp_path: Path) -> None:
    for chosen, size in ((files, None), (files[::-1], None), (files[:5], None), (files, 8)):
        np.testing.assert_array_equal(
            decoded(chosen, tmp_path / "set", size, tmp_path / "cache"), decoding.decode(chosen, size)
        )
    assert len(list((tmp_path / "cache").iterdir())) == 4


@pytest.mark.usefixtures("keep_all")
@pytest.mark.parametrize("content", [b"", b"garbage", None], ids=["empty", "garbage", "cut"])
def test_a_damaged_file_is_made_anew(files: list[Path], tmp_path: Path, content: bytes | None) -> None:
    decoded(files, tmp_path / "set", None, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1] if content is None else content)
    np.testing.assert_array_equal(decoded(files, tmp_path / "set", None, tmp_path / "cache"), decoding.decode(files))
    assert kept.read_bytes() == whole


def test_a_small_set_leaves_nothing_behind(files: list[Path], tmp_path: Path) -> None:
    assert decoded(files, tmp_path / "set", None, tmp_path / "cache").shape == (7, 12, 12, 3)
    assert not (tmp_path / "cache").exists()


@pytest.mark.usefixtures("keep_all")
@pytest.mark.parametrize(
    ("where", "code"), [("os.pwrite", errno.ENOSPC), ("os.replace", errno.EDQUOT), ("pathlib.Path.mkdir", errno.EACCES)]
)
def test_what_cannot_be_kept_is_decoded_in_memory(
    files: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: str,
    code: int,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(where, fail_with(code))
        images = decoded(files, tmp_path / "set", None, tmp_path / "cache")
    np.testing.assert_array_equal(images, decoding.decode(files))
    assert f"({os.strerror(code)}); they are decoded in memory" in caplog.text
    assert not list(tmp_path.glob("cache/*"))


@pytest.mark.usefixtures("keep_all")
def test_a_disk_that_is_too_full_is_not_filled(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        decoded_cache.shutil, "disk_usage", lambda _: decoded_cache.shutil._ntuple_diskusage(10**9, 10**9, 100)
    )
    assert len(decoded(files, tmp_path / "set", None, tmp_path / "cache")) == 7
    assert "the disk is too full" in caplog.text and not list(tmp_path.glob("cache/*"))


@pytest.mark.usefixtures("keep_all")
def test_a_place_for_the_cache_that_is_a_file_does_no_harm(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    assert len(decoded(files, tmp_path / "set", None, tmp_path / "cache")) == 7


@pytest.mark.usefixtures("keep_all")
def test_a_folder_is_kept_below_the_data_folder(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BSD_DATA", str(tmp_path / "home"))
    first = dataset.load(f"folder:{tmp_path / 'set'}")
    assert len(list((tmp_path / "home/decoded").glob("*.npy"))) == 1
    assert dataset.load(f"folder:{tmp_path / 'set'}").fingerprint == first.fingerprint
    assert dataset.load(f"folder:{tmp_path / 'set'}").train_files == tuple(
        os.path.join(p.parent.name, p.name) for p in files
    )


# --- folders that cannot be trained on ---


def test_one_class_in_all_is_told(files: list[Path]) -> None:
    for path in files[4:]:
        path.unlink()
    files[4].parent.rmdir()
    with pytest.raises(DataError, match="all of one class, 'ant'; expected at least two classes"):
        dataset.load(f"folder:{files[0].parents[1]}")


def test_a_class_with_one_image_is_told(files: list[Path]) -> None:
    for path in files[5:]:
        path.unlink()
    with pytest.raises(DataError, match=r"1 of 2 classes have fewer than 2 training images \('bee': 1\)"):
        dataset.load(f"folder:{files[0].parents[1]}")
