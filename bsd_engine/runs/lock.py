"""The lock of a run folder: one writer at a time; a dead writer's lock is released.

It is on config.json, which exists as long as the folder is a run folder and is never replaced, so it cannot be removed
by tidying up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from pathlib import Path

from bsd_engine.errors import RunFolderError
from bsd_engine.files.atomic import storage_errors, without_following

FILE = "config.json"


def is_locked(path: Path) -> bool:
    """Return whether a living writer holds the lock of the run folder."""
    try:
        lock = os.open(path / FILE, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(lock)


def take_lock(path: Path) -> int:
    """Return the descriptor that holds the lock of a run folder; raises `RunFolderError` if another process has it."""
    with storage_errors(path):
        lock = without_following(str(path / FILE), os.O_RDWR | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(lock).st_mode):
        for _ in range(20):  # a viewer's probe (`is_locked`) holds the lock for a few microseconds
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            time.sleep(0.02)
    os.close(lock)
    raise RunFolderError(f"{path} is being written by another process; stop that run first.")
