"""Files that a command writes where its user says: nothing is replaced that this program did not make.

Run folders hold files of their own, and a run's config.json, or a link, must not be replaced by a report.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from bsd_engine.errors import ConfigError
from bsd_engine.files.atomic import storage_errors, write_atomic

NOTHING_SAVED = "Nothing was saved; try again afterwards."
_PART = 65_536  # bytes at the beginning and at the end of a file, in which its marks are looked for


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of file that a command writes."""

    name: str
    """With its article, for messages."""
    marks: tuple[bytes, ...] = ()
    """What every file of this kind contains near its beginning or its end, and other programs' files do not."""
    alphabet: bytes | None = None
    """The bytes that a file of this kind consists of, if there are few."""


NEVER_REPLACED = Kind(name="a file")
"""For files of hours of work, which have no option --overwrite."""


def write_output(path: Path, content: bytes, kind: Kind, *, overwrite: bool = False) -> Path:
    """Write a file completely or not at all, after `check_output`; folders above it are made. Returns the path."""
    check_output(path, kind, overwrite=overwrite)
    with storage_errors(path, NOTHING_SAVED):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content)
    return path


def check_folder(path: Path) -> None:
    """Raise `ConfigError` unless a path is new or an empty folder; may raise `OSError`."""
    found = _status(path)
    if found is not None and (not stat.S_ISDIR(found.st_mode) or any(path.iterdir())):
        raise ConfigError(f"{path} is not an empty folder; give a new one, nothing is written over.")


def check_output(path: Path, kind: Kind, *, overwrite: bool = False) -> None:
    """Raise `ConfigError` unless a file may be written to a path.

    It may be if there is nothing yet, or, with `overwrite`, a regular file of the same kind; and never in a run folder.
    """
    if not path.name or path.name == "..":
        raise ConfigError(f"{path} is a folder; give the name of a file.")
    with storage_errors(path, NOTHING_SAVED):
        found = _status(path)
        run = next((p for p in (path.parent, path.parent.parent) if (p / "config.json").is_file()), None)
    if run is not None:
        raise ConfigError(f"{path} would lie in the run folder {run}, which holds nothing but the run; give another.")
    if found is None:
        return
    if stat.S_ISDIR(found.st_mode):
        raise ConfigError(f"{path} is a folder; give the name of a file.")
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{path} is a link, a device or a pipe, which is not written to; give another name.")
    if not overwrite:
        remedy = "" if kind is NEVER_REPLACED else ", or --overwrite to replace it"
        raise ConfigError(f"{path} exists already; give another name{remedy}.")
    if not _is_of(path, kind):
        raise ConfigError(f"{path} is not {kind.name} of this program, so it is not replaced; give another name.")


def _status(path: Path) -> os.stat_result | None:
    """Status of what has this name, a link itself if it is one; None if nothing has it."""
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _is_of(path: Path, kind: Kind) -> bool:
    with storage_errors(path, NOTHING_SAVED), open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        begin = file.read(_PART)
        file.seek(max(0, os.fstat(file.fileno()).st_size - _PART))
        end = file.read()
    is_spelt = kind.alphabet is None or not set(begin + end) - set(kind.alphabet)
    return is_spelt and all(mark in begin or mark in end for mark in kind.marks)
