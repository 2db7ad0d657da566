"""Files that appear whole or not at all, and one sentence where the disk refuses them."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from bsd_engine.errors import RunFolderError, StorageError

_PART_BYTES = 4_000_000  # of a large file, written at a time


@contextlib.contextmanager
def storage_errors(path: Path, advice: str = "Finished epochs are kept; resume the run afterwards.") -> Iterator[None]:
    """Turn a full disk or a folder without permission into one sentence, and say what to do afterwards."""
    try:
        yield
    except OSError as error:
        cause = {
            errno.ENOSPC: "the disk is full; free some space",
            errno.EDQUOT: "the disk quota is used up; free some space",
            errno.EACCES: "permission is missing; make the folder writable",
            errno.EROFS: "the file system is read-only; choose another folder",
            errno.ENOENT: "the folder is gone; it must not be moved or deleted while it is written to",
        }.get(error.errno, f"{error.strerror or error}")
        raise StorageError(f"Cannot write {path}: {cause}. {advice}") from error


def write_atomic(path: Path, content: bytes | Iterable[bytes], *, durable: bool = True) -> None:
    """Write a file so that readers see the old content or the new one, never a part; large content comes in parts.

    A durable one is on the disk before it gets its name: after a loss of power, too, it is whole or not there.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(3)}.tmp")
    with storage_errors(path):
        try:
            with temporary.open("xb") as file:
                file.writelines([content] if isinstance(content, bytes) else content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def npy_parts(array: np.ndarray) -> Iterator[bytes]:
    """An .npy file in parts, for arrays in any order of memory that may be as large as the memory."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    )
    yield header.getvalue()
    rows = max(1, _PART_BYTES * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), rows):
        yield array[start : start + rows].tobytes()


def without_following(path: str, flags: int) -> int:
    """Open a file of a run folder, but not what a link in its place points to: the folder may come from elsewhere."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)


def make_folder(path: Path) -> None:
    """Make a folder for a run; one with files in it raises `RunFolderError`."""
    with storage_errors(path):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunFolderError(
                f"{path} is not an empty folder; give a new one, or resume the run in it with --resume {path}."
            )
        path.mkdir(parents=True, exist_ok=True)
