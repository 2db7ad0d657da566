"""Decoded images kept on disk, so that a large folder is decoded once and then paged in as it is needed.

    decoded/KEY.npy      (N, H, W, C) uint8; KEY follows from the names, sizes and times of the files and the image size

The folder may be deleted at any time; what is needed is decoded again. A file stays when its images are changed or gone.
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

FORMAT_VERSION = 2  # 2: dark images of 16 bits are scaled like others
# A set of 32 MB, 10,000 images of 32x32 pixels, is decoded in a few seconds and does no harm in memory; most demos and
# tests are smaller and leave nothing behind.
SMALLEST_BYTES = 32_000_000
_log = logging.getLogger(__name__)


def decoded(files: Sequence[Path], root: Path, image_size: int | None, folder: Path) -> np.ndarray:
    """(N, H, W, C) uint8 of image files, from the cache where they are in it; what is written to it stays private.

    A large set that was not in the cache is put there, unless the disk is full or the folder cannot be written: then it
    is decoded in memory.

    Parameters
    ----------
    files : sequence of Path
    root : Path
        Folder above all files; their names below it count.
    image_size : int, optional
        As `decoding.decode` takes it.
    folder : Path
        Where cached arrays lie.

    Raises
    ------
    DataError
        If images cannot be read; names the first few.
    """
    key = _key(files, root, image_size)
    path = folder / f"{key}.npy"
    kept = _open(path, len(files)) if key else None
    if kept is not None:
        return kept
    form, broken = survey(files, image_size)
    if key and len(files) * np.prod(form.shape).item() >= SMALLEST_BYTES:
        try:
            _write(path, files, form, broken)
            kept = _open(path, len(files))
        except OSError as error:
            _log.warning(
                "%s cannot keep the decoded images (%s); they are decoded in memory.", folder, error.strerror or error
            )
    return decode_in_memory(files, form, broken) if kept is None else kept


def _key(files: Sequence[Path], root: Path, image_size: int | None) -> str | None:
    """32 hex digits; None where a file is gone, which decoding will say.

    The time of the last change of the inode is among them, since two sets that were unpacked with the same modification
    times, one poisoned and one not, may have files of the same sizes.
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
    """The cached array, paged in from disk, or None; pages that are written to become private."""
    try:
        images = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, *UNREADABLE):
        return None
    return images if images.dtype == np.uint8 and images.ndim == 4 and len(images) == count else None


def _write(path: Path, files: Sequence[Path], form: Form, broken: dict[int, Exception]) -> None:
    """Decode into a new cache file; raises `OSError` where it cannot be written.

    Chunks are written, not copied into a mapping: on a full disk that would end the process.
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
