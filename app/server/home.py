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
"""Files in a wheel besides the packages; absent in a checkout."""


def is_checkout() -> bool:
    """Whether the program runs from its repository, not from an installed package."""
    return not CARRIED.is_dir()


def shipped() -> Path:
    """The folder with the files that come with the program; an installed package may not be able to write there."""
    return PACKAGE.parent if is_checkout() else CARRIED


def home() -> Path:
    """The folder that `streamlit run` starts from: the repository, or the copy of an installed package."""
    return PACKAGE.parent if is_checkout() else cache_folder().resolve() / f"dashboard-{bsd_engine.__version__}"


def prepare_home() -> Path:
    """The home, ready for use: the files of an installed package are copied there; a checkout needs no copy."""
    folder = home()
    if not is_checkout():
        shutil.copytree(CARRIED, folder, dirs_exist_ok=True)
        (folder / "static").mkdir(exist_ok=True)
    return folder


def default_runs() -> Path:
    """The default folder of run folders, if BSD_RUNS is not set: in the repository, else in the current folder."""
    return (PACKAGE.parent if is_checkout() else Path.cwd()) / "runs"
