"""Atomic file writing: a file appears complete or not at all, and a failed write raises a one-sentence error."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from bsd_engine.errors import RunFolderError, StorageError

_PART_BYTES = 4_000_000  # written in one call


@contextlib.contextmanager
def storage_errors(path: Path, advice: str = "Finished epochs are kept; resume the run afterwards.") -> Iterator[None]:
    """Turn an `OSError`, such as a full disk or a missing permission, into a `StorageError` that ends with `advice`."""
    try:
        yield
    except OSError as error:
        cause = {
            errno.ENOSPC: "the disk is full; free some space",
            errno.EDQUOT: "the disk quota is used up; free some space",
            errno.EACCES: "permission is missing; make the folder writable",
            errno.EROFS: "the file system is read-only; choose another folder",
            errno.ENOENT: "the folder is gone; it must not be moved or deleted while it is written to",
        }.get(error.errno or 0, f"{error.strerror or error}")
        raise StorageError(f"Cannot write {path}: {cause}. {advice}") from error


def temporary_beside(path: Path) -> Path:
    """Return a new hidden name in the same folder, for content that is renamed to `path` once it is complete."""
    return path.with_name(f".{path.name}.{secrets.token_hex(3)}.tmp")


@contextlib.contextmanager
def renamed_when_complete(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a new file that replaces `path` at the end of the block and is removed if the block fails.

    May raise `OSError`. A durable file is on the disk before it gets its name, so it is complete or absent even after a
    power failure.
    """
    temporary = temporary_beside(path)
    try:
        with temporary.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomic(path: Path, content: bytes | Iterable[bytes], *, durable: bool = True) -> None:
    """Write a file so that readers see either the old content or the new content, never a part of it.

    Large content may be given in parts. `durable` is passed to `renamed_when_complete`. Raises `StorageError`.
    """
    with storage_errors(path), renamed_when_complete(path, durable=durable) as file:
        file.writelines([content] if isinstance(content, bytes) else content)


def npy_parts(array: np.ndarray) -> Iterator[bytes]:
    """Yield the content of an .npy file in parts, for arrays of any memory order that may fill most of the memory."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    )
    yield header.getvalue()
    rows = max(1, _PART_BYTES * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), rows):
        yield array[start : start + rows].tobytes()


def without_following(path: str, flags: int) -> int:
    """Open a file in a run folder, but refuse a symbolic link, because the folder may come from somebody else.

    Meant as the `opener` of `open`.
    """
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)


def refuse_used(path: Path) -> None:
    """Raise `RunFolderError` if a path exists and is not an empty folder."""
    with storage_errors(path):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            is_run = (path / "config.json").exists()
            resume = f", or resume the run in it with --resume {shlex.quote(str(path))}" if is_run else ""
            raise RunFolderError(f"{path} is not an empty folder; give a new one{resume}.")


def make_folder(path: Path) -> None:
    """Make an empty folder; raises `RunFolderError` if the path exists and is not an empty folder."""
    refuse_used(path)
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
