"""Folders of the program's own files, of the files that it downloads, decodes and unpacks, and of its signing key."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def assets_folder() -> Path:
    """Return the folder of bundled images, recordings and tables.

    In the repository it is `assets` beside the package; an installed package contains it as `_assets`. `_assets` is
    looked for first, because another package may have installed an `assets` folder beside this one.
    """
    installed = _PACKAGE / "_assets"
    return installed if installed.is_dir() else _PACKAGE.parent / "assets"


def cache_folder() -> Path:
    """Return the folder of downloads, decoded images, unpacked recordings and crafted triggers.

    It is $BSD_DATA or ~/.cache/bsd.
    """
    return Path(os.environ.get("BSD_DATA") or "~/.cache/bsd").expanduser()


def state_folder() -> Path:
    """Return the folder of files that must outlive the cache: the key that signs run folders.

    It is $BSD_STATE or ~/.local/state/bsd.
    """
    return Path(os.environ.get("BSD_STATE") or "~/.local/state/bsd").expanduser()
