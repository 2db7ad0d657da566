"""Opening of picture files from outside: only in listed formats, within bounds of pixels and memory, and upright.

Pillow guesses a file's format from its content and knows dozens of them, some of which start another program: an EPS
file runs Ghostscript, whatever the file is called.
"""

from __future__ import annotations

import contextlib
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from bsd_engine.files import bounded

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""Formats of the images of a data set; of a file with several pictures, the first is read."""
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    AttributeError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""Pillow's errors for damaged files of various kinds."""
MOST_PIXELS = 80_000_000
"""Largest number of pixels of a picture; larger ones are refused by their header."""
MOST_BYTES = 512_000_000
"""Most memory that the reading of one picture may take, by its header."""
MOST_FILE_BYTES = 256_000_000
_LARGE_BYTES = 32_000_000
_large = threading.RLock()  # one at a time: a large picture in each of sixteen threads would need gigabytes
_ORIENTATION = 0x0112  # the tag of EXIF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)
_STRIP_VALUES = 1_000_000  # converted at a time


@contextlib.contextmanager
def opened(path: Path, formats: tuple[str, ...] = FORMATS, most_pixels: int = MOST_PIXELS) -> Iterator[Image.Image]:
    """Open a picture without decoding it; raises one of `UNREADABLE` if it is no picture, or too large to be decoded.

    Large pictures are open in one thread at a time.
    """
    with contextlib.ExitStack() as stack:
        file, size = stack.enter_context(bounded.opened(path))
        if size > MOST_FILE_BYTES:
            raise ValueError(f"it has {size / 1e6:,.0f} MB, and at most {MOST_FILE_BYTES // 10**6} MB are read")
        if size > _LARGE_BYTES:
            stack.enter_context(_large)
        image = stack.enter_context(_identified(file, formats))
        needed = _checked_bytes(image, most_pixels)
        if needed > _LARGE_BYTES:
            stack.enter_context(_large)
        yield image


def _identified(file: BinaryIO, formats: tuple[str, ...]) -> Image.Image:
    try:
        return Image.open(file, formats=formats)
    except UnidentifiedImageError:
        file.seek(0)
        begin = file.read(8)
        raise ValueError(
            f"it begins with the bytes {begin!r}, expected a picture in the format {' or '.join(formats)}"
            if begin
            else "it is empty"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # Pillow's own bound is above all of ours
        raise ValueError("its header claims more pixels than are read") from None


def _checked_bytes(image: Image.Image, most_pixels: int) -> int:
    """Bytes of memory that the reading of a picture takes; raises `ValueError` if there are too many of them."""
    width, height = image.size
    if width * height > most_pixels:
        raise ValueError(f"it has {width:,} x {height:,} pixels, and at most {most_pixels // 10**6} million are read")
    needed = width * height * _bytes_per_pixel(image)
    if needed > MOST_BYTES:
        raise ValueError(
            f"its {width:,} x {height:,} pixels of the kind {image.format} {image.mode} would take "
            f"{needed / 1e6:,.0f} MB of memory, and at most {MOST_BYTES // 10**6} MB are used"
        )
    return needed


def _bytes_per_pixel(image: Image.Image) -> int:
    """Pillow's own pixels, their copy in another mode, and what the decoder keeps beside them."""
    if is_wide(image):
        pixels = 5
    else:
        pixels = {"L": 1, "RGB": 4}.get(image.mode, 9)
    if image.format == "WEBP":
        return pixels + 16  # libwebp has two canvases, and Pillow copies their bytes
    if image.info.get("progressive"):
        return pixels + 6  # libjpeg keeps all coefficients, however small the result
    return pixels


def orientation(image: Image.Image) -> int:
    """How the pixels of an opened picture have to be turned: 1 (not at all) to 8, as in EXIF.

    It is what stands before the pixels in the file: reading the rest of a PNG file would decode it. Pillow turns a TIFF
    file by itself. Damaged EXIF data turn nothing.
    """
    if image.format == "TIFF":
        return 1
    try:
        found = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except UNREADABLE:
        return 1
    return found if found in _TURNS else 1


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an opened picture once it is turned."""
    return image.size[::-1] if orientation(image) in _SIDEWAYS else image.size


def turned(image: Image.Image, found: int) -> Image.Image:
    """The picture turned upright from an orientation."""
    return image.transpose(_TURNS[found]) if found in _TURNS else image


def is_wide(image: Image.Image) -> bool:
    """Whether an image has more than eight bits per level, which Pillow would clip at 255 instead of scaling."""
    return image.mode.startswith("I") or image.mode == "F"


def eight_bits(image: Image.Image) -> Image.Image:
    """A wide grey image reduced to 256 levels.

    Images of 16 bits keep the upper eight, so that a dark image of a set does not come out as bright as the others. For
    32 bits and floats, whose files do not state their range, the same is done if a level is above 255; otherwise the
    levels are kept. It is done in strips: all levels at once, as floats, took 2 GB for a PNG file of 155 kB.
    """
    width, height = image.size
    rows = max(1, _STRIP_VALUES // width)
    strips = [(0, top, width, min(height, top + rows)) for top in range(0, height, rows)]
    is_scaled = image.mode.startswith("I;16") or any(_levels(image, box).max() > 255 for box in strips)
    levels = np.empty((height, width), np.uint8)
    for box in strips:
        levels[box[1] : box[3]] = (_levels(image, box) / (256 if is_scaled else 1)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(levels)


def _levels(image: Image.Image, box: tuple[int, int, int, int]) -> np.ndarray:
    return np.nan_to_num(np.asarray(image.crop(box), np.float64))
