"""A copy of a run folder that counts as this installation's own; a plain copy counts as a stranger's."""

from __future__ import annotations

import shutil
from pathlib import Path

from bsd_engine.runs.origin.provenance import write_signature


def own_copy(source: Path, out: Path) -> Path:
    """Copy a run folder and sign the copy; returns its path."""
    shutil.copytree(source, out)
    write_signature(out)
    return out
