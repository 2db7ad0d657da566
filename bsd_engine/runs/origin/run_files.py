"""Reading of the files of a run folder: no links are followed, and every file is compared with its digest.

The functions raise `OSError` or `ValueError`, which the caller turns into a sentence that names the file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from bsd_engine.errors import RunFolderError
from bsd_engine.files import bounded
from bsd_engine.runs.origin.digests import digest_of, digest_of_file, digests_of

FOLDERS = ("epochs", "maps", "checkpoints")
"""The folders inside a run folder."""


def read(run: Path, name: str, most: int, *, checked: bool = True) -> bytes:
    """Return the content of a file of a run folder, of at most `most` bytes.

    With `checked` it is compared with its digest, if the folder has digests; `RunReader` requires them where the format
    has them.
    """
    _refuse_linked_parent(run, name)
    content = bounded.read_bytes(run / name, most, follow=False)
    if checked and (digests := digests_of(run)) is not None:  # read after the file: its line is older than the file
        digests.check(name, digest_of(content))
    return content


@contextlib.contextmanager
def opened(run: Path, name: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file of a run folder and yield it with its size, without comparing its digest."""
    _refuse_linked_parent(run, name)
    with bounded.opened(run / name, follow=False) as opened_file:
        yield opened_file


def check(run: Path, name: str) -> None:
    """Compare a file of any size with its digest, if the folder has digests; a zip file also with its checksums.

    A file that was compared is not read again until its stamp changes.
    """
    _check_at(str(run), name, bounded.stamp_of(run / name))


@lru_cache(maxsize=256)
def _check_at(run: str, name: str, stamp: bounded.Stamp) -> None:
    with opened(Path(run), name) as (file, size):
        digest = digest_of_file(file)
        if (digests := digests_of(Path(run))) is not None:
            digests.check(name, digest)
        elif name.endswith(".pt"):
            bounded.check_stored_zip(file, size)


def refuse_linked_folders(run: Path) -> None:
    """Raise `RunFolderError` if a folder inside a run folder is a link: it would be read and written elsewhere."""
    for name in FOLDERS:
        if (run / name).is_symlink():
            raise RunFolderError(f"{run / name} is a link; copy what it points to into its place.")


def _refuse_linked_parent(run: Path, name: str) -> None:
    parent, slash, _ = name.rpartition("/")
    if slash and (run / parent).is_symlink():
        raise bounded.LinkError
