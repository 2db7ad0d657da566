"""Run folders of one's own, where a test makes or copies them without the writer."""

from __future__ import annotations

import shutil
from pathlib import Path

from bsd_engine.runs.origin import provenance


def signed(folder: Path) -> Path:
    """Return a folder that counts as written by this installation; without settings it gets empty ones."""
    folder.mkdir(exist_ok=True)
    if not (folder / "config.json").exists():
        (folder / "config.json").write_text("{}")
    provenance.write_signature(folder)
    return folder


def own_copy(source: Path, out: Path) -> Path:
    """Return a copy of a run folder that counts as written by this installation; a plain copy would be foreign."""
    return signed(Path(shutil.copytree(source, out)))
