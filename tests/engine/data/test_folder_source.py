"""Folders of images: which files are read, in which order, size and colour mode, and what is wrong with others."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bsd_engine.data import dataset as data
from bsd_engine.errors import DataError
from tests.support.image_sets import write_image


def test_folder_is_read_in_alphabetical_order(image_tree: Path) -> None:
    loaded = data.load(f"folder:{image_tree}")
    assert loaded.class_names == ("ant", "bee")
    assert loaded.train_images.shape == (6, 3, 12, 12)
    assert loaded.train_images[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    assert loaded.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert loaded.test_images[:, 0, 0, 0].tolist() == [100, 101, 110, 111]
    assert loaded.train_files[3] == os.path.join("train", "bee", "0.png")


def test_folder_with_limit_names_the_chosen_files(image_tree: Path) -> None:
    loaded = data.load(f"folder:{image_tree}", limit=4)
    values = [int(Path(f).stem) + 10 * ("bee" in f) for f in loaded.train_files]
    assert loaded.train_images[:, 0, 0, 0].tolist() == values
    assert loaded.train_labels.tolist() == [0, 0, 1, 1]


def test_folder_without_train_or_test_part(image_tree: Path, tmp_path: Path) -> None:
    assert data.load(f"folder:{image_tree / 'train'}").test_images is None
    for name in ("ant", "bee"):
        (image_tree / "train" / name).rename(image_tree / name)
    (image_tree / "train").rmdir()
    loaded = data.load(f"folder:{image_tree}")
    assert loaded.class_names == ("ant", "bee") and len(loaded.test_labels) == 4


def test_other_files_are_ignored_and_nested_ones_found(image_tree: Path) -> None:
    (image_tree / "train/ant/notes.txt").write_text("not an image")
    (image_tree / "train/ant/._0.png").write_text("not an image")
    (image_tree / "train/.cache").mkdir()
    write_image(image_tree / "train/ant/more/9.PNG", 77)
    assert data.load(f"folder:{image_tree}").train_images[:4, 0, 0, 0].tolist() == [0, 1, 2, 77]


def test_images_stay_grey_only_if_all_are(image_tree: Path) -> None:
    for path in image_tree.rglob("*.png"):
        write_image(path, 50, mode="L")
    assert data.load(f"folder:{image_tree}").train_images.shape == (6, 1, 12, 12)
    write_image(image_tree / "test/bee/0.png", 60, mode="RGB")
    mixed = data.load(f"folder:{image_tree}")
    assert mixed.train_images.shape == (6, 3, 12, 12) and (mixed.train_images == 50).all()


@pytest.mark.parametrize(
    ("mode", "name"),
    [("1", "x.png"), ("P", "x.png"), ("RGBA", "x.png"), ("LA", "x.png"), ("CMYK", "x.jpg"), ("P", "x.gif")],
)
def test_any_colour_mode_becomes_rgb(image_tree: Path, mode: str, name: str) -> None:
    write_image(image_tree / "train/ant" / name, 255, mode=mode)
    image = data.load(f"folder:{image_tree}").train_images[3]
    assert image.shape == (3, 12, 12) and (image >= 250).all()


def test_palette_with_transparency_bytes_gives_no_warning(image_tree: Path) -> None:
    Image.new("P", (12, 12)).save(image_tree / "train/ant/x.png", transparency=bytes(range(8)))
    assert len(data.load(f"folder:{image_tree}").train_images) == 7


def test_sixteen_bit_images_are_scaled_not_clipped(image_tree: Path) -> None:
    Image.fromarray(np.full((12, 12), 128 * 256, np.uint16)).save(image_tree / "train/ant/x.png")
    assert (data.load(f"folder:{image_tree}").train_images[3] == 128).all()


@pytest.mark.parametrize(
    ("levels", "kind", "expected"),
    [
        (128 * 256, np.uint16, 128),
        (65535, np.uint16, 255),
        (255, np.uint16, 0),
        (300, np.uint16, 1),
        (0, np.uint16, 0),
        (128 * 256, np.int32, 128),
        (200, np.int32, 200),
        (-5, np.int32, 0),
        (2**20, np.int32, 255),
        (200.4, np.float32, 200),
        (0.5, np.float32, 0),
    ],
)
def test_wide_levels_are_scaled_alike_in_images_and_in_triggers(
    tmp_path: Path, levels: float, kind: type, expected: int
) -> None:
    """Upper eight bits of sixteen, however dark the image; of other kinds the level itself where none is above 255."""
    from bsd_engine.attacks import custom
    from bsd_engine.data.decoding import decode

    wide = Image.fromarray(np.full((12, 12), levels, kind))
    wide.save(tmp_path / "x.tif")
    assert (decode([tmp_path / "x.tif"]) == expected).all()
    assert np.asarray(custom._rgba(wide))[..., :3].tolist() == [[[expected] * 3] * 12] * 12


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(20, 14), (20, 14)], (14, 20)),
        ([(64, 64), (64, 64)], (64, 64)),
        ([(20, 14), (14, 20)], (32, 32)),
        ([(65, 20), (65, 20)], (32, 32)),
        ([(300, 200), (20, 20)], (32, 32)),
    ],
)
def test_images_get_one_size(tmp_path: Path, sizes: list[tuple[int, int]], expected: tuple[int, int]) -> None:
    for name in ("ant", "bee"):
        for i, size in enumerate(sizes):
            write_image(tmp_path / name / f"{i}.jpg", 90, size)
    loaded = data.load(f"folder:{tmp_path}")
    assert loaded.train_images.shape[2:] == expected
    assert ((loaded.train_images.int() - 90).abs() <= 2).all()
    assert data.load(f"folder:{tmp_path}", image_size=16).train_images.shape[2:] == (16, 16)


def test_unreadable_images_are_counted_and_named(image_tree: Path) -> None:
    for i in range(5):
        (image_tree / f"train/ant/bad{i}.jpg").write_bytes(b"")
    good = (image_tree / "train/ant/0.png").read_bytes()
    (image_tree / "train/bee/cut.png").write_bytes(good[: len(good) // 2])
    said = r"6 of 16 images cannot be read \(ant/bad0.jpg, ant/bad1.jpg, ant/bad2.jpg, ...; .*remove or replace"
    with pytest.raises(DataError, match=said):
        data.load(f"folder:{image_tree}")


def test_folders_without_classes_are_explained(image_tree: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        data.load(f"folder:{image_tree / 'absent'}")
    with pytest.raises(DataError, match="0.png is a file, expected a folder with train/<class>/<images>; unpack"):
        data.load(f"folder:{image_tree / 'train/ant/0.png'}")
    with pytest.raises(DataError, match="no class folders"):
        data.load(f"folder:{image_tree / 'train/ant'}")
    (image_tree / "train/cow").mkdir()
    with pytest.raises(DataError, match="'cow': 0"):
        data.load(f"folder:{image_tree}")
    (image_tree / "train/cow").rename(image_tree / "test/cow")
    with pytest.raises(DataError, match="'cow', which the training part lacks"):
        data.load(f"folder:{image_tree}")


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_part_is_the_test_part(image_tree: Path, name: str) -> None:
    expected = data.load(f"folder:{image_tree}").test_images
    (image_tree / "test").rename(image_tree / name)
    found = data.load(f"folder:{image_tree}").test_images
    assert found is not None and expected is not None and found.equal(expected)
    for part in (image_tree / "train").iterdir():
        part.rename(image_tree / part.name)
    (image_tree / "train").rmdir()
    beside = data.load(f"folder:{image_tree}")
    assert beside.class_names == ("ant", "bee") and beside.test_images is not None


def test_the_test_part_comes_before_a_validation_part(image_tree: Path) -> None:
    expected = len(data.load(f"folder:{image_tree}").test_labels)
    write_image(image_tree / "val/ant/0.png", 7)
    assert len(data.load(f"folder:{image_tree}").test_labels) == expected


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["a.png", "b.png", "labels.csv"], "It holds 2 images without classes; move them into one folder per class ("),
        (["train-00000.parquet"], "It holds train-00000.parquet, which is not read; save its images into one folder"),
        (["set.zip"], "It holds set.zip, which is not read"),
    ],
)
def test_a_flat_folder_is_told_what_to_do(tmp_path: Path, files: list[str], said: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=re.escape(said)):
        data.load(f"folder:{tmp_path}")


def test_parts_that_are_links_out_of_the_folder_are_not_read(image_tree: Path, tmp_path_factory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for part in ("train", "test"):
        (image_tree / part).rename(elsewhere / part)
        (image_tree / part).symlink_to(elsewhere / part)
    with pytest.raises(DataError, match="train is a symbolic link that leads out of"):
        data.load(f"folder:{image_tree}")
    (image_tree / "train").unlink()
    (elsewhere / "train").rename(image_tree / "train")
    assert data.load(f"folder:{image_tree}").test_images is None
