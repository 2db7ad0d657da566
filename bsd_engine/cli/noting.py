"""The log of actions as the command line writes it, for the runs that the dashboard shows."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bsd_engine.files import action_log
from bsd_engine.files.action_log import Action


def noted(action: Action, run: Path, **details: str) -> None:
    """Add an action to the log in the folder of the runs, $BSD_RUNS or ./runs; a problem with it is a warning.

    For a run that lies elsewhere nothing is written: the folder around it is not this program's.
    """
    run, root = run.resolve(), Path(os.environ.get("BSD_RUNS") or "runs").resolve()
    problem = action_log.note(root, action, run.name, **details) if run.parent == root else None
    if problem is not None:
        print(f"warning: {problem}", file=sys.stderr)
