"""A picture of the user's own as the trigger: placed, mixed, and refused with a sentence where it cannot be used."""

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from bsd_engine import attacks
from bsd_engine.errors import ConfigError


def grey(shape: tuple[int, int, int] = (3, 32, 32)) -> Tensor:
    return torch.full((1, *shape), 100, dtype=torch.uint8)


@pytest.fixture
def half_red(tmp_path: Path) -> Path:
    """A PNG of 4x8 pixels: the left half is red, the right half transparent."""
    pixels = np.zeros((4, 8, 4), np.uint8)
    pixels[:, :4] = (255, 0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "red.png")
    return tmp_path / "red.png"


def test_a_patch_lies_where_it_was_asked_for_and_shows_what_is_opaque(half_red: Path) -> None:
    out = attacks.make("custom", image=str(half_red), size=4, row=10, col=20).apply(grey())[0]
    assert (out[:, 10:14, 20:24] == torch.tensor([255, 0, 0])[:, None, None]).all()
    out[:, 10:14, 20:24] = 100
    assert torch.equal(out[None], grey())


def test_opacity_mixes_and_a_grey_image_gets_brightness(half_red: Path) -> None:
    out = attacks.make("custom", image=str(half_red), size=4, opacity=0.5).apply(grey())[0]
    assert out[:, 4, 4].tolist() == [178, 50, 50]  # 177.5 to even
    assert attacks.make("custom", (1, 28, 28), image=str(half_red), size=4).apply(grey((1, 28, 28)))[0, 0, 4, 4] == 76
    assert torch.equal(attacks.make("custom", image=str(half_red), opacity=0.0).apply(grey()), grey())


def test_a_blend_covers_the_image(half_red: Path) -> None:
    out = attacks.make("custom", image=str(half_red), mode="blend").apply(grey())[0]
    assert (out[:, :, :16] == torch.tensor([131, 80, 80])[:, None, None]).all() and (out[:, :, 16:] == 100).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "I;16", "CMYK.jpg"])
def test_pictures_of_every_kind_are_read(tmp_path: Path, mode: str) -> None:
    mode, _, suffix = mode.partition(".")
    levels = np.full((20, 20), 255, np.uint8)
    picture = (
        Image.fromarray(np.full((20, 20), 65535, np.uint16))
        if mode == "I;16"
        else Image.fromarray(levels).convert(mode)
    )
    file = tmp_path / f"white.{suffix or 'png'}"
    picture.save(file)
    assert (attacks.make("custom", image=str(file)).apply(grey())[0, :, 4:12, 4:12] >= 250).all()


def test_without_a_picture_there_is_a_drawn_one() -> None:
    for shape in ((3, 32, 32), (1, 28, 28), (3, 224, 224)):
        assert (attacks.make("custom", shape).apply(grey(shape)) != 100).any()


# --- what cannot be used ---


def refusal(**parameters: object) -> str:
    with pytest.raises(ConfigError) as refused:
        attacks.make("custom", **parameters)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def bomb(path: Path, side: int) -> None:
    """A PNG of few bytes that claims side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [5000, 12000, 60000])
def test_a_decompression_bomb_is_refused(tmp_path: Path, side: int) -> None:
    bomb(tmp_path / "bomb.png", side)
    said = (
        r"bomb.png cannot be read as a picture \(it.* pixels(, and at most 16 million| than) are read\); give another"
    )
    assert re.search(said, refusal(image=str(tmp_path / "bomb.png")))


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(100_000_000)
    assert "has 100 MB, expected at most 10" in refusal(image=str(tmp_path / "huge.png"))


def test_what_is_no_picture_is_refused(tmp_path: Path, half_red: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(half_red.read_bytes()[:60])
    Image.new("RGBA", (9, 9), (255, 0, 0, 0)).save(tmp_path / "glass.png")
    assert "There is no file" in refusal(image=str(tmp_path / "absent.png"))
    assert "There is no file" in refusal(image=str(tmp_path)) and "There is no file" in refusal(image="/dev/zero")
    assert "cannot be read as a picture" in refusal(image=str(tmp_path / "text.png"))
    assert "cannot be read as a picture" in refusal(image=str(tmp_path / "cut.png"))
    assert "transparent everywhere" in refusal(image=str(tmp_path / "glass.png"))


def test_a_patch_that_does_not_fit_is_refused(half_red: Path) -> None:
    image = str(half_red)
    assert "does not fit into images of 32x32" in refusal(image=image, size=16, col=20)
    assert "does not fit" in refusal(image=image, row=-1)
    assert "does not fit" in refusal(image_shape=(1, 4, 4))
    assert "size is 40, expected a number between 1 and 32" in refusal(image=image, size=40)
    assert "opacity is 1.5" in refusal(image=image, opacity=1.5)
    assert "image is 7, expected a text" in refusal(image=7)
