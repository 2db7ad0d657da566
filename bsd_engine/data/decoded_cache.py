"""A cache of decoded images on disk: a large folder is decoded once and then read as needed.

    decoded/KEY.npy      (N, H, W, C) uint8; KEY follows from the names, sizes and times of the files and the image size

The folder may be deleted at any time; images are then decoded again. Files of images that were changed or deleted
are not removed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bsd_engine.data.decoding import Form, decode_chunks, decode_in_memory, survey
from bsd_engine.data.folder import name_below
from bsd_engine.files.atomic import renamed_when_complete
from bsd_engine.files.bounded import UNREADABLE

FORMAT_VERSION = 3  # since 2, dark 16-bit images are scaled like others; since 3, pictures are turned upright
# A set of 32 MB, 10,000 images of 32x32 pixels, is decoded in a few seconds and easily fits into memory. Most demos and
# tests are smaller and leave nothing on disk.
SMALLEST_BYTES = 32_000_000
_log = logging.getLogger(__name__)


def decoded(files: Sequence[Path], root: Path, image_size: int | None, folder: Path) -> np.ndarray:
    """(N, H, W, C) uint8: the pixels of image files, from the cache if they are there; writing to them changes no file.

    A large set that is not in the cache yet is added to it. If the disk is full or the folder cannot be written, the
    set is decoded in memory instead.

    Parameters
    ----------
    files : sequence of Path
    root : Path
        Folder above all files; the files' paths below it are part of the key.
    image_size : int, optional
        As for `decoding.decode`.
    folder : Path
        Folder of the cached arrays.

    Raises
    ------
    DataError
        If images cannot be read; the message names the first few.
    """
    key = _key(files, root, image_size)
    path = folder / f"{key}.npy"
    cached = _open(path, len(files)) if key else None
    if cached is not None:
        return cached
    form, broken = survey(files, image_size)
    if key and len(files) * np.prod(form.shape).item() >= SMALLEST_BYTES:
        try:
            _write(path, files, form, broken)
            cached = _open(path, len(files))
        except OSError as error:
            _log.warning(
                "%s cannot cache the decoded images (%s); they are decoded in memory.", folder, error.strerror or error
            )
    return decode_in_memory(files, form, broken) if cached is None else cached


def _key(files: Sequence[Path], root: Path, image_size: int | None) -> str | None:
    """32 hex digits; None if a file is gone, which decoding will report.

    They depend on the inode's change time, too: two sets that were unpacked with the same modification times, one
    poisoned and one not, may have files of the same sizes.
    """
    digest = hashlib.blake2b(repr((FORMAT_VERSION, image_size)).encode(), digest_size=16)
    try:
        for file in files:
            stat = file.stat()
            digest.update(repr((name_below(root, file), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)).encode())
    except OSError:
        return None
    return digest.hexdigest()


def _open(path: Path, count: int) -> np.ndarray | None:
    """The cached array as a private memory map, or None; writing to it does not change the file."""
    try:
        images = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, *UNREADABLE):
        return None
    return images if images.dtype == np.uint8 and images.ndim == 4 and len(images) == count else None


def _write(path: Path, files: Sequence[Path], form: Form, broken: dict[int, Exception]) -> None:
    """Decode into a new cache file; raises `OSError` if it cannot be written.

    Chunks are written to the file, not copied into a memory map: on a full disk, a map would end the process.
    """
    shape = (len(files), *form.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(path.parent).free < np.prod(shape, dtype=np.int64):
        raise OSError("the disk is too full")
    with renamed_when_complete(path) as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        file.flush()
        begin, stride = file.tell(), np.prod(form.shape).item()
        decode_chunks(files, form, broken, lambda start, chunk: _write_at(file.fileno(), chunk, begin + start * stride))


def _write_at(descriptor: int, chunk: np.ndarray, offset: int) -> None:
    content = chunk.data.cast("B")
    while content:
        written = os.pwrite(descriptor, content, offset)
        content, offset = content[written:], offset + written
