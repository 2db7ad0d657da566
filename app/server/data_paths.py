"""Checks of image paths from a form, an address or a stranger's run folder: may they be read, and have they changed.

BSD_DATA_ROOTS confines the server: it names folders, separated by colons, and a page reads nothing outside them. If it
is unset or empty, every path may be read.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from app.server import uploads
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError
from bsd_engine.files.bounded import Stamp, stamp_of
from bsd_engine.runs.reader import RunReader

VARIABLE = "BSD_DATA_ROOTS"


def roots() -> tuple[Path, ...]:
    """The folders that may be read, with links followed; empty if every path may be read."""
    return tuple(_resolved(root) for root in os.environ.get(VARIABLE, "").split(":") if root.strip())


def check_config(config: BSDConfig, triggers: Path) -> None:
    """Raise `ConfigError` if a configuration's images or trigger image lie outside the folders that may be read.

    Parameters
    ----------
    triggers : where uploaded trigger images are kept, which may always be read
    """
    check_source(config.data.data)
    if config.attack.picture is not None:
        _check(config.attack.picture, also=(triggers, uploads.folder()))


def check_run(run: RunReader, triggers: Path) -> None:
    """Raise `ConfigError` if a run's settings lead to files that may not be read.

    These are the files that `check_config` refuses, and all files where a stranger chose the paths.
    """
    leads_to_files = run.config.data.path is not None or run.config.attack.picture is not None
    if leads_to_files and not run.trusts_paths:
        raise ConfigError(
            f"The settings of {run.run_id} name files of the machine that it comes from, and such paths are not "
            "followed; start a run with a path of your own."
        )
    check_config(run.config, triggers)


def check_source(spec: str) -> None:
    """Raise `ConfigError` if a source of images, or one of its parts, lies outside the folders that may be read."""
    for path in _parts(spec):
        _check(path)


def may_read(spec: str) -> bool:
    """Whether `check_source` accepts a source."""
    try:
        check_source(spec)
    except ConfigError:
        return False
    return True


def stamps(spec: str) -> tuple[Stamp | None, ...]:
    """Stamps of a source's file, or of its parts and class folders. They change when images are added or removed."""
    paths: list[Path] = []
    for part in _parts(spec):
        path = Path(os.path.expanduser(part))
        paths.append(path)
        with contextlib.suppress(OSError, ValueError):
            paths += sorted(p for p in path.iterdir() if p.is_dir())
    return tuple(_stamp(path) for path in paths)


def _parts(spec: str) -> list[str]:
    """The paths that a source is read from: a file, or a folder with a training and a test part, which may be links."""
    kind, _, path = spec.partition(":")
    if kind not in ("folder", "npz") or not path:
        return []
    return [path, *(os.path.join(path, part) for part in ("train", "test"))] if kind == "folder" else [path]


def _stamp(path: Path) -> Stamp | None:
    try:
        return stamp_of(path)
    except (OSError, ValueError):
        return None


def _resolved(path: str | Path) -> Path:
    """A path without links and dots; the working folder for a text that is not a path."""
    try:
        return Path(os.path.realpath(os.path.expanduser(path)))
    except (OSError, ValueError):
        return Path()


def _check(path: str, also: tuple[Path, ...] = ()) -> None:
    allowed = roots()
    if allowed and not any(_resolved(path).is_relative_to(top) for top in (*allowed, *map(_resolved, also))):
        raise ConfigError(
            f"{path} is not below the folders that this dashboard may read ({', '.join(map(str, allowed))}); "
            f"give a path below one of them, or start the server with another {VARIABLE}."
        )
