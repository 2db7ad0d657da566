"""A jail for tests that may write anywhere: a mount namespace where all is read-only but one empty folder in memory.

The process starts itself again in namespaces of its own (users, mounts, network). In there every file system is mounted
read-only, /dev has five harmless devices, and there is no network. Nothing runs if any of this cannot be had.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

NO_JAIL = 3
"""Exit status where the jail cannot be made."""
_VARIABLE = "BSD_JAIL"
_DEVICES = ("null", "zero", "full", "random", "urandom")
_KEPT_FLAGS = {"nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime"}
"""Flags of a mount that a namespace may not take away."""


def inside(module: str, arguments: list[str]) -> Path:
    """Return the one folder that may be written to, once this process is in the jail; until then, start it there.

    The first call starts `python -m MODULE` with these arguments in the jail, waits for it and exits with its status.
    """
    if _VARIABLE not in os.environ:
        sys.exit(_started(module, arguments))
    scratch = Path(os.environ[_VARIABLE])
    try:
        _shut(scratch)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"The jail cannot be made ({error}); nothing was run.")
        sys.exit(NO_JAIL)
    if open_places := _writable(scratch):
        print(f"The jail has holes ({', '.join(open_places)}); nothing was run.")
        sys.exit(NO_JAIL)
    return scratch


def _started(module: str, arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="jail-") as scratch:
        words = ["unshare", "--user", "--map-root-user", "--mount", "--net", sys.executable, "-m", module, *arguments]
        environment = {**os.environ, _VARIABLE: scratch, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            return subprocess.run(words, env=environment).returncode
        except FileNotFoundError:
            print("The jail cannot be made (there is no command unshare); nothing was run.")
            return NO_JAIL


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


def _shut(scratch: Path) -> None:
    _mount("--make-rprivate", "/")
    _mount("-t", "tmpfs", "-o", "size=2g,mode=700", "tmpfs", str(scratch))
    devices = scratch / "dev"
    devices.mkdir()
    for name in _DEVICES:
        (devices / name).touch()
        _mount("--bind", f"/dev/{name}", str(devices / name))
    (devices / "fd").symlink_to("/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (devices / name).symlink_to(f"/proc/self/fd/{number}")
    _mount("--rbind", str(devices), "/dev")
    for place, flags in _mounts():
        if not _allowed(place, scratch) and os.path.exists(place) and not _is_read_only(place):
            _mount("-o", ",".join(["remount", "bind", "ro", *sorted(flags & _KEPT_FLAGS)]), place)
    for name in ("home", "tmp", "cache", "state"):
        (scratch / name).mkdir()
    os.environ.update(
        HOME=str(scratch / "home"),
        TMPDIR=str(scratch / "tmp"),
        BSD_DATA=str(scratch / "cache"),
        BSD_STATE=str(scratch / "state"),
    )
    tempfile.tempdir = None


def _mounts() -> list[tuple[str, set[str]]]:
    """Place and flags of each mount."""
    rows = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    unescaped = [re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), row[4]) for row in rows]
    return [(place, set(row[5].split(","))) for place, row in zip(unescaped, rows)]


def _allowed(place: str, scratch: Path) -> bool:
    """Whether a place is the folder that may be written to, or our own /dev, a part of it."""
    return Path(place).is_relative_to(scratch) or Path(place).is_relative_to("/dev")


def _is_read_only(place: str) -> bool:
    return bool(os.statvfs(place).f_flag & os.ST_RDONLY)


def _writable(scratch: Path) -> list[str]:
    """Places outside that can be written to, by what the system says and by trying."""
    found = [p for p, _ in _mounts() if not _allowed(p, scratch) and os.path.exists(p) and not _is_read_only(p)]
    for folder in ("/", "/etc", "/root", "/home", "/tmp", "/var/tmp", str(Path(__file__).parent)):
        canary = Path(folder) / f".jail-{os.getpid()}"
        try:
            canary.touch(exist_ok=False)
        except OSError:
            continue
        canary.unlink()
        found.append(folder)
    return found + [f"/dev/{name}" for name in os.listdir("/dev") if name not in (*_DEVICES, *_STREAMS)]


_STREAMS = ("fd", "stdin", "stdout", "stderr")
