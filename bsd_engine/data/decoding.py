"""From image files to one array: headers decide the common form, then several threads decode the pixels by chunks.

Arrays of images are uint8, channels last. Besides the result, only one chunk per thread is in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image

from bsd_engine.compute.memory import free_bytes
from bsd_engine.data.pictures import UNREADABLE, eight_bits, is_wide, opened, orientation, turned, upright_size
from bsd_engine.errors import DataError

DEFAULT_SIZE = 32
LARGEST_KEPT_SIZE = 64
_CHUNK = 256  # images per task: a task for each image would cost as much as decoding it
_CHUNK_BYTES = 4_000_000  # large images get smaller chunks, so that these stay small beside the result

Item = TypeVar("Item")
Result = TypeVar("Result")
Store = Callable[[int, np.ndarray], None]
"""Takes the number of the first image of a chunk and its (n, H, W, C) pixels; called from several threads."""


class Header(NamedTuple):
    """The header of an image file."""

    size: tuple[int, int]
    """Width and height once it is upright, pixels."""
    is_grey: bool
    """Whether it has eight bits of grey and nothing else."""


class Form(NamedTuple):
    """The common form of all decoded images."""

    height: int
    width: int
    channels: int
    """1 if every image is grey, else 3."""
    resizes: bool
    """Whether images are resized; otherwise all have this size already."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self.height, self.width, self.channels


def decode(files: Sequence[Path], image_size: int | None = None) -> np.ndarray:
    """(N, H, W, C) uint8: the images, grey if all of them are, else RGB.

    Parameters
    ----------
    files : sequence of Path
    image_size : int, optional
        Height and width to resize to. By default, images keep their size if it is the same for all and at most 64
        pixels, and otherwise become 32x32.

    Raises
    ------
    DataError
        If files cannot be read; the message names the first few.
    """
    return decode_in_memory(files, *survey(files, image_size))


def decode_in_memory(files: Sequence[Path], form: Form, broken: Mapping[int, Exception]) -> np.ndarray:
    """(N, H, W, C) uint8: the pixels of files whose headers `survey` has read."""
    images = _empty((len(files), *form.shape))

    def store(start: int, chunk: np.ndarray) -> None:
        images[start : start + len(chunk)] = chunk

    decode_chunks(files, form, broken, store)
    return images


def survey(files: Sequence[Path], image_size: int | None = None) -> tuple[Form, dict[int, Exception]]:
    """The common form of image files by their headers, and the error of each file whose header cannot be read.

    Raises `DataError` if no header can be read.
    """
    headers = _in_threads(_header_or_error, files)
    broken = {i: header for i, header in enumerate(headers) if isinstance(header, Exception)}
    sound = [header for header in headers if isinstance(header, Header)]
    if not sound:
        raise _unreadable(files, broken)
    return _common_form(sound, image_size), broken


def _common_form(headers: Sequence[Header], image_size: int | None) -> Form:
    width, height = headers[0].size
    keeps = (
        not image_size and max(width, height) <= LARGEST_KEPT_SIZE and all(h.size == (width, height) for h in headers)
    )
    if not keeps:
        width = height = image_size or DEFAULT_SIZE
    return Form(height, width, 1 if all(h.is_grey for h in headers) else 3, resizes=not keeps)


def decode_chunks(files: Sequence[Path], form: Form, broken: Mapping[int, Exception], store: Store) -> None:
    """Decode all files into a store; `broken` are the errors of files known to be unreadable, by position.

    Every file is tried before an error is raised, so that the message counts all unreadable files.
    """
    count = max(1, min(_CHUNK, _CHUNK_BYTES // np.prod(form.shape).item()))
    errors = dict(broken)

    def fill(start: int) -> None:
        positions = range(start, min(start + count, len(files)))
        chunk = np.zeros((len(positions), *form.shape), np.uint8)
        for row, i in zip(chunk, positions):
            if i not in broken:
                try:
                    row[:] = _pixels(files[i], form)
                except UNREADABLE as error:
                    errors[i] = error
        store(start, chunk)

    with ThreadPoolExecutor(_threads()) as pool:
        tasks = [pool.submit(fill, start) for start in range(0, len(files), count)]
        try:
            for task in tasks:
                task.result()
        finally:  # after a failure of the store (a full disk, say) or Ctrl-C, the rest is not worth decoding
            pool.shutdown(wait=True, cancel_futures=True)
    if errors:
        raise _unreadable(files, errors)


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """(N, H, W, C) uint8 images resized to (N, size, size, C); the images themselves if they have that size."""
    if images.shape[1:3] == (size, size):
        return images
    resized = _empty((len(images), size, size, images.shape[3]))

    def fill(i: int) -> None:
        image = Image.fromarray(images[i, :, :, 0] if images.shape[3] == 1 else np.ascontiguousarray(images[i]))
        resized[i] = np.asarray(_resized(image, size, size)).reshape(resized.shape[1:])

    _in_threads(fill, range(len(images)))
    return resized


def _empty(shape: tuple[int, ...]) -> np.ndarray:
    """An array for images; raises `DataError` if it does not fit into memory."""
    needed, free = np.prod(shape, dtype=np.int64).item(), free_bytes()
    if needed > free:
        raise DataError(
            f"{shape[0]:,} images of {shape[1]}x{shape[2]} pixels take {needed / 1e9:,.1f} GB of memory, and "
            f"{free / 1e9:,.1f} GB are free; take fewer (limit), or smaller ones (image_size)."
        )
    return np.empty(shape, np.uint8)


def _threads() -> int:
    return min(16, os.cpu_count() or 1)


def _in_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """The results of a function for all items, in order."""
    chunks = [items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK)]
    with ThreadPoolExecutor(_threads()) as pool:
        return [
            result for chunk in pool.map(lambda chunk: [function(item) for item in chunk], chunks) for result in chunk
        ]


def _header_or_error(file: Path) -> Header | Exception:
    try:
        with opened(file) as image:
            return Header(upright_size(image), image.mode == "L")
    except UNREADABLE as error:
        return error


def _pixels(file: Path, form: Form) -> np.ndarray:
    """(H, W, C) uint8; raises one of `UNREADABLE`."""
    with opened(file) as image:
        size, turn = upright_size(image), orientation(image)
        if not form.resizes and size != (form.width, form.height):
            raise ValueError("its size changed while the images were being read")
        width, height = (form.width, form.height) if size == image.size else (form.height, form.width)
        if form.resizes:
            image.draft(None, (2 * width, 2 * height))  # decodes a JPEG at a fraction of its size
        pixels = np.asarray(turned(_resized(_grey_or_rgb(image), width, height), turn))
    if form.channels == 1 and pixels.ndim == 3:
        raise ValueError("it changed from grey to colour while the images were being read")
    return pixels if pixels.ndim == 3 else pixels[:, :, None]  # assigned to a row, grey fills all three channels


def _grey_or_rgb(image: Image.Image) -> Image.Image:
    """The picture in a mode that can be resized; one with more than eight bits of grey becomes grey, too."""
    if image.mode in ("L", "RGB"):
        return image
    if is_wide(image):
        return eight_bits(image)
    return image.convert("RGBA" if image.mode == "P" else image.mode).convert("RGB")


def _resized(image: Image.Image, width: int, height: int) -> Image.Image:
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.BILINEAR)


def _unreadable(files: Sequence[Path], errors: Mapping[int, Exception]) -> DataError:
    """One sentence that counts the unreadable files and names the first three."""
    first = sorted(errors)[:3]
    names = ", ".join(f"{files[i].parent.name}/{files[i].name}" for i in first) + (", ..." if len(errors) > 3 else "")
    return DataError(
        f"{len(errors)} of {len(files)} images cannot be read ({names}; {errors[first[0]]}); remove or replace them."
    )
