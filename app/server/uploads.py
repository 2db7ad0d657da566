"""Images uploaded through the browser: bounded, under names of our own, in a folder that only this user can read."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from bsd_engine.errors import ConfigError
from bsd_engine.files.atomic import storage_errors

MOST_FILES = 100


@cache
def folder() -> Path:
    """A new folder that only its owner can read, removed when the server ends."""
    path = Path(tempfile.mkdtemp(prefix="bsd-triggers-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def stored(content: bytes) -> Path:
    """Path of a file with that content, named by a digest of it; the user's name for it is never part of a path.

    Raises
    ------
    ConfigError
        If it is too large to be decoded.
    StorageError
        If it cannot be written.
    """
    from bsd_engine.attacks.custom import MAX_BYTES  # here: it loads torch, and the first page does not wait

    if not 0 < len(content) <= MAX_BYTES:
        raise ConfigError(
            f"The image has {len(content) / 1e6:,.0f} MB, expected at most {MAX_BYTES // 10**6} MB; make it smaller."
        )
    return _written(content, folder())


def kept(path: Path, destination: Path) -> Path:
    """Path of a lasting copy of an image in the temporary folder, since a resumed run reads it again.

    Images from elsewhere stay where they are.
    """
    if path.parent != folder():
        return path
    with storage_errors(destination, "The run was not started."):
        destination.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _written(path.read_bytes(), destination)


def _written(content: bytes, directory: Path) -> Path:
    path = directory / (
        hashlib.blake2b(content, digest_size=16).hexdigest() + (".png" if content.startswith(b"\x89PNG") else ".jpg")
    )
    with storage_errors(path, "The image was not stored."):
        if not path.exists():
            if directory == folder():
                _forget_oldest(directory)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
    return path


def _forget_oldest(directory: Path) -> None:
    files = sorted(directory.iterdir(), key=lambda p: p.stat().st_mtime)
    for old in files[: max(0, len(files) - MOST_FILES + 1)]:
        old.unlink(missing_ok=True)
