"""Data of unknown origin: each problem gives one sentence, and nothing outside the given folder is read."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bsd_engine.data import dataset, sources
from bsd_engine.errors import DataError
from tests.support.image_sets import write_image


def test_a_set_one_folder_deeper_is_named_in_the_error(image_tree: Path, tmp_path: Path) -> None:
    outer = tmp_path / "unpacked"
    (outer / "dataset").mkdir(parents=True)
    for part in ("train", "test"):
        (image_tree / part).rename(outer / "dataset" / part)
    with pytest.raises(DataError, match=r"nothing but the folder 'dataset'.* Give .*unpacked/dataset instead"):
        dataset.load(f"folder:{outer}")
    assert len(dataset.load(f"folder:{outer / 'dataset'}").train_images) == 6


def test_one_class_is_refused(tmp_path: Path) -> None:
    for i in range(4):
        write_image(tmp_path / "train/only" / f"{i}.png", i)
    with pytest.raises(DataError, match="all of one class, 'only'; expected at least two"):
        dataset.load(f"folder:{tmp_path}")


def test_ten_broken_files_are_counted_and_three_named(image_tree: Path) -> None:
    for i in range(10):
        (image_tree / f"train/ant/bad{i}.jpg").write_bytes(b"\xff\xd8 no picture")
    with pytest.raises(
        DataError, match=r"10 of 20 images cannot be read \(ant/bad0.jpg, ant/bad1.jpg, ant/bad2.jpg, ...;"
    ):
        dataset.load(f"folder:{image_tree}")


@pytest.mark.parametrize(
    "name", ["日本", "العربية", "<script>alert(1)<", "=1+1", "a'b\"c", "ant\nbee", "CON", "🐜", "-rf"]
)
def test_names_of_any_script_are_kept_as_they_are(tmp_path: Path, name: str) -> None:
    for folder in (name, "zz"):
        for i in range(2):
            write_image(tmp_path / "train" / folder / f"{name}{i}.png", i)
    loaded = dataset.load(f"folder:{tmp_path}")
    assert set(loaded.class_names) == {name, "zz"} and any(name in file for file in loaded.train_files)


@pytest.mark.parametrize("where", ["train/ant/leak.png", "train/ant/more", "train/eel", "test/ant/leak.png"])
def test_links_out_of_the_folder_are_refused_and_nothing_behind_them_is_read(
    image_tree: Path, tmp_path_factory: pytest.TempPathFactory, where: str
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    write_image(outside / "more/1.png", 200)
    write_image(outside / "more/2.png", 200)
    link = image_tree / where
    link.symlink_to(outside / "more" / "1.png" if link.suffix else outside / "more")
    with pytest.raises(DataError, match=r"1 symbolic link that lead.* out of it \(.*\); nothing outside is read"):
        dataset.load(f"folder:{image_tree}")


def test_links_within_the_folder_are_followed_once_and_loops_end(image_tree: Path) -> None:
    (image_tree / "train/ant/again.png").symlink_to(image_tree / "train/ant/0.png")
    (image_tree / "train/ant/loop").symlink_to(image_tree / "train/ant")
    (image_tree / "train/ant/gone.txt").symlink_to(image_tree / "nowhere")
    assert len(dataset.load(f"folder:{image_tree}").train_images) == 7


def test_the_folder_itself_may_be_a_link(image_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("links") / "data"
    link.symlink_to(image_tree)
    assert len(dataset.load(f"folder:{link}").train_images) == 6


def png_that_claims(width: int, height: int) -> bytes:
    """Return a PNG file of some hundred bytes whose header claims a large image."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (30_000, 30_000), (100_000, 900)])
def test_an_image_of_100_megapixels_is_refused_by_its_header(image_tree: Path, width: int, height: int) -> None:
    (image_tree / "train/ant/huge.png").write_bytes(png_that_claims(width, height))
    with pytest.raises(DataError, match=r"1 of 11 images cannot be read \(ant/huge.png; .*pixels"):
        dataset.load(f"folder:{image_tree}")


def test_a_large_photograph_is_read_and_shrunk(image_tree: Path) -> None:
    Image.new("L", (4000, 3000), 90).save(image_tree / "train/ant/large.png")
    loaded = dataset.load(f"folder:{image_tree}")
    assert loaded.train_images.shape == (7, 3, 32, 32) or loaded.train_images.shape == (7, 1, 32, 32)
    assert (loaded.train_images[3] == 90).all()


def bomb(path: Path, shape: tuple[int, ...]) -> None:
    """Write an .npz file whose images are zeros, without holding them in memory."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("images.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        left = int(np.prod(shape))
        while left:
            part = min(left, 4_000_000)
            file.write(bytes(part))
            left -= part


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb(tmp_path / "bomb.npz", (200_000, 32, 32))
    with pytest.raises(DataError, match=r"would unpack from .* MB to 205 MB, which images do not"):
        dataset.load(f"npz:{tmp_path / 'bomb.npz'}")


def test_arrays_larger_than_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "free_bytes", lambda: 10_000.0)
    np.savez(
        tmp_path / "set.npz",
        images=np.random.default_rng(0).integers(0, 255, (40, 20, 20), np.uint8),
        labels=np.arange(40) % 2,
    )
    with pytest.raises(DataError, match=r"GB of arrays, and .* of memory are free"):
        dataset.load(f"npz:{tmp_path / 'set.npz'}")


def test_a_header_that_claims_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "lie.npz", "w") as archive:
        for name, descr in (("images", "|u1"), ("labels", "<i8")):
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array_header_1_0(
                    file, {"descr": descr, "fortran_order": False, "shape": (10**11, 32, 32)}
                )
                file.write(bytes(1000))
    with pytest.raises(DataError, match="cannot be read"):
        dataset.load(f"npz:{tmp_path / 'lie.npz'}")


@pytest.mark.parametrize(
    "images", [np.array([object()] * 4, object), np.zeros((4, 8, 8), [("a", "u1")]), np.zeros((4,), "U3")]
)
def test_arrays_of_objects_records_or_texts_are_refused(tmp_path: Path, images: np.ndarray) -> None:
    np.savez(tmp_path / "set.npz", images=images, labels=np.arange(4) % 2)
    with pytest.raises(DataError):
        dataset.load(f"npz:{tmp_path / 'set.npz'}")
