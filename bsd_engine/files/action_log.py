"""The log of what users did to runs: one JSON object a line in `log.jsonl` of the folder that holds the runs.

A line says when, which action, on which run, and who: the user of the operating system and, for the dashboard, the
beginning of the page's session. Texts from outside are escaped, so that a line is always one line of ASCII. Lines are
appended in one write each, so several processes may write at once. A log that has become too long is renamed to
`log.1.jsonl`, which replaces the one before it.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import stat
from datetime import datetime
from pathlib import Path
from typing import Literal

from bsd_engine.files import bounded
from bsd_engine.files.atomic import without_following

FILE, OLDER_FILE = "log.jsonl", "log.1.jsonl"
MOST_BYTES = 5_000_000
"""Size from which a new log is begun: about 25,000 actions."""
LONGEST_TEXT = 300
"""Characters of a text that are kept."""

Action = Literal["start", "resume", "pause", "stop", "branch", "adopt", "export", "delete"]


def note(folder: Path, action: Action, run: str, **details: str) -> str | None:
    """Append a line about an action; returns None, or the reason why it could not be written as a sentence.

    Parameters
    ----------
    folder : the folder that holds the runs
    run : name of the run folder
    details : further texts, such as `session` or the `file` of an export
    """
    entry = {"time": datetime.now().astimezone().isoformat(timespec="seconds"), "action": action, "run": run}
    entry |= {"user": _user(), **details}
    line = json.dumps({name: str(text)[:LONGEST_TEXT] for name, text in entry.items()}).encode() + b"\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _append(folder / FILE, line)
    except OSError as error:
        return (
            f"The action was carried out, but {folder / FILE} cannot be written: {error.strerror or error}. "
            "Free some space or make the folder writable, so that the log stays complete."
        )
    return None


def read(folder: Path) -> list[dict[str, str]]:
    """Return the actions in the log, oldest first; lines that a full disk has cut off are left out."""
    found = []
    for name in (OLDER_FILE, FILE):
        try:
            lines = bounded.read_bytes(folder / name, 2 * MOST_BYTES).splitlines()
        except (OSError, ValueError):
            continue
        for line in lines:
            with contextlib.suppress(ValueError):
                found.append(bounded.parse_object(line))
    return found


def _append(path: Path, line: bytes) -> None:
    """Append a line in one write; raises `OSError` if it was not written whole."""
    file = without_following(str(path), os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError("it is not a regular file")
        size = os.fstat(file).st_size
        is_torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        content = b"\n" * is_torn + line
        if os.write(file, content) < len(content):
            raise OSError("the disk is full")
        if size > MOST_BYTES:
            _begin_anew(path, file)
    finally:
        os.close(file)


def _begin_anew(path: Path, file: int) -> None:
    """Rename a full log, unless another process has done so; who still has it open goes on writing to it."""
    fcntl.flock(file, fcntl.LOCK_EX)
    with contextlib.suppress(FileNotFoundError):
        if os.fstat(file).st_ino == path.stat().st_ino:
            os.replace(path, path.with_name(OLDER_FILE))


def _user() -> str:
    """Return the user's name; a container may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
