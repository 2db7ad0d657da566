"""The bundled recordings: finished runs in one file each, unpacked into a cache folder when they are first opened.

    names()                 the bundled recordings, in the order in which they are offered
    describe(NAME)          title, sentence and command
    open_recording(NAME)    a run folder that `RunReader` reads; its name is recording-NAME

The cache folder is `recordings` below `$BSD_DATA` or `~/.cache/bsd` and may be deleted at any time. The name of a
recording's folder in it changes with the file's content, so that a new version never mixes with the remains of an old
one.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bsd_engine.errors import RunFolderError
from bsd_engine.files import bounded
from bsd_engine.files.atomic import storage_errors
from bsd_engine.files.bounded import Stamp
from bsd_engine.files.locations import assets_folder, cache_folder
from bsd_engine.recordings.archive import MOST_FILE_BYTES, read_head, reading_errors
from bsd_engine.recordings.card import RecordingCard, sentence_of
from bsd_engine.recordings.unpack import unpack
from bsd_engine.runs.origin import run_files
from bsd_engine.runs.origin.digests import FILE as DIGESTS
from bsd_engine.runs.origin.digests import digest_of, digests_of, line_of

FOLDER = assets_folder() / "recordings"
SUFFIX = ".bsdrec"
PREFIX = "recording-"
"""Start of an unpacked folder's name, which is the run's id."""
NAMES = ("healthy", "collapse-poison", "collapse-classes", "wrong-target", "no-attack", "clean-label")
_opening = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Description of a recording."""

    name: str
    title: str
    sentence: str
    """Description of the run, with its own numbers."""
    command: str
    """The command that repeats the run."""
    size_bytes: int
    """Size of the file."""


def names() -> tuple[str, ...]:
    """Return the names of the bundled recordings, in the order in which they are offered."""
    return tuple(name for name in NAMES if (FOLDER / f"{name}{SUFFIX}").is_file())


def file_of(name: str) -> Path:
    """Return the file of a bundled recording; raises `RunFolderError` for any other name."""
    if name not in names():
        raise RunFolderError(f"There is no recording called {name[:60]!r}; there are {', '.join(names()) or 'none'}.")
    return FOLDER / f"{name}{SUFFIX}"


def describe(name: str) -> Recording:
    """Return title, sentence and command of a bundled recording; raises `RunFolderError` with one sentence."""
    path = file_of(name)
    return _described(path, bounded.stamp_of(path))


@lru_cache(maxsize=32)
def _described(path: Path, stamp: Stamp) -> Recording:
    head = read_head(path)
    with reading_errors(path):
        card = RecordingCard(**head["card"])
        if any(not isinstance(value, str) for value in vars(card).values()):
            raise ValueError("its card holds more than texts")
        sentence = sentence_of(card.template, head["numbers"])
        return Recording(name=card.name, title=card.title, sentence=sentence, command=card.command, size_bytes=stamp[1])


def open_recording(name: str) -> Path:
    """Return the run folder of a bundled recording, unpacked if necessary; raises `BSDError` with one sentence."""
    return open_file(file_of(name), name)


def folder_of(path: Path, name: str) -> Path:
    """Return the path of a file's run folder, whether or not it is unpacked."""
    return cache_folder() / "recordings" / f"{name}-{_digest(path, bounded.stamp_of(path))}" / f"{PREFIX}{name}"


def open_file(path: Path, name: str) -> Path:
    """Return the run folder of any recording's file; several threads and processes may open the same file at once."""
    with reading_errors(path):
        folder = folder_of(path, name)
    with _opening:
        if not _is_whole(folder):
            _unpack(path, folder)
    return folder


@lru_cache(maxsize=32)
def _digest(path: Path, stamp: Stamp) -> str:
    return hashlib.blake2b(bounded.read_bytes(path, MOST_FILE_BYTES), digest_size=8).hexdigest()


def _is_whole(folder: Path) -> bool:
    """Return whether all unpacked files are as they were: parts of the cache may have been deleted or damaged.

    A file that was compared with its digest is not read again until it changes.
    """
    try:
        if (digests := digests_of(folder)) is None or digests.damaged_line is not None:
            return False
        for name in digests.of:
            run_files.check(folder, name)
    except (OSError, ValueError):
        return False
    return True


def _unpack(path: Path, folder: Path) -> None:
    """Write the run folder under another name, then rename it, so that others see it complete or not at all."""
    files = unpack(path)
    files[DIGESTS] = b"".join(line_of(name, digest_of(content)) for name, content in files.items())
    advice = "Free some space or set BSD_DATA to another folder, then open the recording again."
    with storage_errors(folder, advice):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = folder.parent / f".{secrets.token_hex(4)}.tmp"
        try:
            for name in run_files.FOLDERS:
                (temporary / name).mkdir(parents=True)
            for name, content in files.items():
                (temporary / name).write_bytes(content)
            _move(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _move(temporary: Path, folder: Path) -> None:
    """Rename the new folder; if a folder exists that lost files or that another process has just made, move the files
    into it."""
    try:
        os.rename(temporary, folder)
    except OSError:
        if not folder.is_dir():
            raise
        for part in sorted(temporary.rglob("*"), key=lambda file: file.name == DIGESTS):
            if part.is_file():
                target = folder / part.relative_to(temporary)
                target.parent.mkdir(exist_ok=True)
                os.replace(part, target)
