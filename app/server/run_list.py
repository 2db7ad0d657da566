"""What the lists of runs say about each run: kept until the run changes, since a page asks for all of them at each
script run, and there may be thousands.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError
from bsd_engine.files.bounded import Stamp, stamp_of
from bsd_engine.runs.layout import Status, epoch_name
from bsd_engine.runs.lock import is_locked
from bsd_engine.runs.reader import RunReader


@dataclass(frozen=True, kw_only=True, eq=False)
class Listed:
    """A run in a list; the same object until the run changes."""

    created: str
    """ISO time."""
    config: BSDConfig
    branch_of: str | None
    """Name of the run that it is a branch of."""
    status: Status
    """Of a run in training always "running"."""
    summary: Mapping[str, Any]
    """Empty until the run ends."""


def listed(root: Path, run_id: str) -> Listed | None:
    """What a list says about the run of that name in a folder; None if it cannot be read."""
    path = f"{root}/{run_id}"  # `Path` would take half of the time for 2,000 runs
    summary = _stamp(f"{path}/summary.json")
    # A writer that resumes a run removes its summary first, so a run with a summary is not asked for its lock.
    return _kept(path, _stamp(f"{path}/config.json"), summary, summary is None and is_locked(Path(path)))


def has_epoch(root: Path, run_id: str) -> bool:
    """Whether a run has recorded its first epoch."""
    return os.path.exists(f"{root}/{run_id}/{epoch_name(0)}")


@lru_cache(maxsize=16384)
def _kept(path: str, config: Stamp | None, summary: Stamp | None, is_live: bool) -> Listed | None:
    try:
        run = RunReader(path)
        ended = (run.summary or {}) if summary is not None else {}
    except BSDError:
        return None
    return Listed(
        created=run.created,
        config=run.config,
        branch_of=str(run.branched_from.get("run", "")) if run.branched_from else None,
        status=ended["status"] if ended else "running" if is_live else "interrupted",
        summary=ended,
    )


def _stamp(path: str) -> Stamp | None:
    try:
        return stamp_of(path)
    except OSError:
        return None
