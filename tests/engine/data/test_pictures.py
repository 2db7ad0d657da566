"""Picture files from outside: listed formats only, bounded memory, turned upright, the first picture of several."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bsd_engine.attacks import custom
from bsd_engine.data import dataset, decoding, pictures, sources
from bsd_engine.errors import ConfigError, DataError

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
ROOT = Path(__file__).parents[3]


def corners() -> np.ndarray:
    """(16, 24, 3): the upper left corner is red, the upper right one green, the lower left one blue, all else black."""
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:8, :8, 0] = pixels[:8, 16:, 1] = pixels[8:, :8, 2] = 255
    return pixels


def stored_as(found: int) -> np.ndarray:
    """The same picture as a camera stores it with an orientation of EXIF; turning it upright gives `corners`."""
    undo: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: np.rot90(x, 1),
        7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
        8: lambda x: np.rot90(x, -1),
    }
    return np.ascontiguousarray(undo[found](corners()))


def write_turned(path: Path, found: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = found
    path.parent.mkdir(parents=True, exist_ok=True)
    more = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}.get(path.suffix, {})
    Image.fromarray(stored_as(found)).save(path, exif=exif, **more)
    return path


# --- formats ---


@pytest.mark.parametrize("kind", ["EPS", "PSD", "PDF", "SVG"])
def test_a_file_in_another_format_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """An EPS file called .jpg started Ghostscript."""
    content = {"EPS": EPS, "PSD": b"8BPS\0\1" + bytes(40), "PDF": b"%PDF-1.4\n", "SVG": b"<svg></svg>"}[kind]
    (tmp_path / "x.jpg").write_bytes(content)

    def start(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", start)
    said = r"x.jpg; it begins with the bytes b'.*', expected a picture in the format PNG or JPEG or .*"
    with pytest.raises(DataError, match=said):
        decoding.decode([tmp_path / "x.jpg"])
    with pytest.raises(ConfigError, match="begins with the bytes .* expected a picture in the format PNG or JPEG"):
        custom.read_picture(tmp_path / "x.jpg")


@pytest.mark.parametrize("kind", pictures.FORMATS)
def test_every_listed_format_is_read(tmp_path: Path, kind: str) -> None:
    exact = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    Image.fromarray(corners()).save(tmp_path / "picture", kind, **exact)
    difference = decoding.decode([tmp_path / "picture"])[0].astype(int) - corners()
    assert abs(difference).max() <= (8 if kind == "JPEG" else 0)


def test_pictures_are_opened_in_one_place() -> None:
    """Every `Image.open` of the project names its formats."""
    calls = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("bsd_engine", "app", "benchmarks", "assets")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in path.read_text().splitlines()
        if "Image.open(" in line
    ]
    assert calls == ["bsd_engine/data/pictures.py: return Image.open(file, formats=formats)"]


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_several_pictures_the_first_is_read(tmp_path: Path, kind: str) -> None:
    first, second = (Image.new("RGB", (12, 12), (level, 0, 0)) for level in (250, 20))
    first.save(tmp_path / "film", kind, save_all=True, append_images=[second])
    with Image.open(tmp_path / "film") as film:
        assert film.n_frames == 2
    assert abs(decoding.decode([tmp_path / "film"])[0, 0, 0].astype(int) - [250, 0, 0]).max() < 6


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match="pipe.png; it is not a regular file"):
        decoding.decode([tmp_path / "pipe.png"])
    with pytest.raises(DataError, match="pipe.png cannot be read as an .npz file of plain arrays: it is not a regular"):
        sources.npz(tmp_path / "pipe.png")


# --- turned upright ---


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("found", range(1, 9))
def test_pictures_are_turned_as_their_exif_data_say(tmp_path: Path, suffix: str, found: int) -> None:
    path = write_turned(tmp_path / f"x.{suffix}", found)
    kept, shrunk = decoding.decode([path])[0], decoding.decode([path], 8)[0]
    assert kept.shape == (16, 24, 3)
    assert abs(kept.astype(int) - corners()).max() < 8
    for row, col, colour in ((0, 0, 0), (0, -1, 1), (-1, 0, 2)):
        assert shrunk[row, col].argmax() == kept[row, col].argmax() == colour


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("found", [3, 6, 8])
def test_a_trigger_picture_is_turned_too(tmp_path: Path, suffix: str, found: int) -> None:
    picture = custom.read_picture(write_turned(tmp_path / f"x.{suffix}", found))
    assert picture.size == (24, 16)
    assert abs(np.asarray(picture)[..., :3].astype(int) - corners()).max() < 8


def test_a_folder_of_upright_and_turned_pictures_has_one_size(tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        for found in (1, 6, 8):
            write_turned(tmp_path / name / f"{found}.jpg", found)
    assert dataset.load(f"folder:{tmp_path}").train_images.shape == (6, 3, 16, 24)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_data_turn_nothing(tmp_path: Path) -> None:
    Image.fromarray(corners()).save(tmp_path / "x.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff\xff")
    np.testing.assert_array_equal(decoding.decode([tmp_path / "x.png"])[0], corners())


# --- bounds ---


def deep_png(path: Path, width: int, height: int) -> Path:
    """A PNG file of 16 bits of grey whose pixels are all 0, a thousandth of its decoded size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer, row = zlib.compressobj(9), bytes(1 + 2 * width)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    return path


def peak_growth(folder: Path, code: str) -> float:
    """MB by which a piece of code raises the largest resident memory of a new process."""
    script = (
        "import resource, sys\nfrom pathlib import Path\nimport numpy, PIL.Image\n"
        "from bsd_engine.data import decoding, pictures\nPIL.Image.init()\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nbefore = peak()\n"
        f"folder = Path({str(folder)!r})\n{code}\nprint((peak() - before) / 1000)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_a_deep_picture_takes_little_memory(tmp_path: Path) -> None:
    """78 million pixels of 16 bits took 2.0 GB, from a file of 155 kB."""
    path = deep_png(tmp_path / "deep.png", 13_000, 6_000)
    assert path.stat().st_size < 200_000
    assert peak_growth(tmp_path, "decoding.decode([folder / 'deep.png'])") < 512


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK"])
def test_what_would_take_too_much_memory_is_refused_by_its_header(tmp_path: Path, mode: str) -> None:
    form = "TIFF" if mode == "CMYK" else "PNG"
    Image.new(mode, (60, 20)).save(tmp_path / "x", form)
    with Image.open(tmp_path / "x") as image:
        image._size = 7800, 10_000  # as if the header said so
        with pytest.raises(ValueError, match=rf"7,800 x 10,000 pixels of the kind {form} {mode} would take 702 MB of"):
            pictures._checked_bytes(image, pictures.MOST_PIXELS)
        image._size = 5600, 10_000
        assert pictures._checked_bytes(image, pictures.MOST_PIXELS) == 9 * 5600 * 10_000


@pytest.mark.parametrize(
    ("kind", "options", "side"), [("WEBP", {"lossless": True}, 4400), ("JPEG", {"progressive": True}, 6600)]
)
def test_what_a_decoder_keeps_is_counted(tmp_path: Path, kind: str, options: dict, side: int) -> None:
    """The largest square that is allowed stays below the bound when it is read."""
    Image.new("RGB", (side, side), (3, 50, 90)).save(tmp_path / "x", kind, **options)
    with pictures.opened(tmp_path / "x") as image:
        needed = pictures._checked_bytes(image, pictures.MOST_PIXELS)
    assert 0.7 * pictures.MOST_BYTES < needed <= pictures.MOST_BYTES
    assert peak_growth(tmp_path, "decoding.decode([folder / 'x'])") < pictures.MOST_BYTES / 1e6


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (9, 9)).save(stream, "PNG")
    with (tmp_path / "x.png").open("wb") as file:
        file.write(stream.getvalue())
        file.truncate(300_000_000)
    with pytest.raises(DataError, match="it has 300 MB, and at most 256 MB are read"):
        decoding.decode([tmp_path / "x.png"])


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_levels_that_are_not_numbers_become_black(kind: type) -> None:
    levels = np.full((4, 4), 100, kind)
    if kind is np.float32:
        levels[0] = [np.nan, np.inf, -np.inf, 40]
        assert np.asarray(pictures.eight_bits(Image.fromarray(levels)))[0].tolist() == [0, 255, 0, 0]
    else:
        assert (np.asarray(pictures.eight_bits(Image.fromarray(levels))) == 100).all()
