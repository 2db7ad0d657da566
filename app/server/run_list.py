"""What the lists of runs say about each run: kept until the run changes, since a page asks for all of them at each
script run, and there may be thousands.
"""

from __future__ import annotations

import contextlib
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


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A run in a list."""

    created: str
    """ISO time."""
    config: BSDConfig
    branch_of: str | None
    """Name of the run that it is a branch of."""
    status: Status
    summary: Mapping[str, Any]
    """Empty until the run ends."""
    has_epoch: bool


def listed(path: Path) -> Listed | None:
    """What a list says about a run folder; None if the folder cannot be read."""
    if is_locked(path):
        return _read(path)
    return _kept(str(path), *(_stamp(f"{path}/{name}") for name in ("config.json", "summary.json", "epochs")))


@lru_cache(maxsize=16384)
def _kept(path: str, *stamps: Stamp | None) -> Listed | None:
    return _read(Path(path))


def _read(path: Path) -> Listed | None:
    try:
        run = RunReader(path)
        return Listed(
            created=run.created,
            config=run.config,
            branch_of=str(run.branched_from.get("run", "")) if run.branched_from else None,
            status=run.status,
            summary=run.summary or {},
            has_epoch=(path / epoch_name(0)).exists(),
        )
    except BSDError:
        return None


def _stamp(path: str) -> Stamp | None:
    with contextlib.suppress(OSError):
        return stamp_of(path)
    return None
