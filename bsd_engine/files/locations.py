"""Where the program finds its own files, and where it keeps what it downloads, decodes and unpacks."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def assets_folder() -> Path:
    """The folder of bundled images, recordings and tables.

    In the repository it is `assets` beside the package; an installed package carries it as `_assets` inside. That one
    is looked for first, because another package may have installed an `assets` folder beside this one.
    """
    installed = _PACKAGE / "_assets"
    return installed if installed.is_dir() else _PACKAGE.parent / "assets"


def cache_folder() -> Path:
    """The folder of downloads, decoded images, unpacked recordings and crafted triggers: $BSD_DATA or ~/.cache/bsd."""
    return Path(os.environ.get("BSD_DATA") or "~/.cache/bsd").expanduser()
