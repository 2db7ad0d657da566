"""The home of the dashboard: the folder of `streamlit_app.py`, with the server's settings and static files beside it.

In a checkout that is the repository. An installed package carries the same files in `app/_home`. The static folder must
be writable, so they are copied below the cache folder before the server starts.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import bsd_engine
from bsd_engine.files.locations import cache_folder

PACKAGE = Path(__file__).resolve().parents[1]
CARRIED = PACKAGE / "_home"
"""The files that a wheel carries; absent in a checkout."""


def home() -> Path:
    """The folder that `streamlit run` starts from: the repository, or the copy of an installed package."""
    if not CARRIED.is_dir():
        return PACKAGE.parent
    return cache_folder().resolve() / f"dashboard-{bsd_engine.__version__}"


def prepare_home() -> Path:
    """Copy what an installed package carries to its place, and return that folder; a checkout needs nothing."""
    folder = home()
    if CARRIED.is_dir():
        shutil.copytree(CARRIED, folder, dirs_exist_ok=True)
        (folder / "static").mkdir(exist_ok=True)
    return folder
