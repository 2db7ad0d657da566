"""The process that makes UMAP maps of the run in training: one at a time, with the lowest priority.

A process, not a thread: numba would hold the interpreter lock that pages and training need.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

from app.server.home import home

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
LOWEST_PRIORITY = 19

log = logging.getLogger(__name__)


class MapProcess:
    """The map process of a server. It follows one run, and makes some maps after the end of the run."""

    def __init__(self) -> None:
        self._current: tuple[Path, subprocess.Popen[bytes]] | None = None

    def follows(self, run: Path) -> bool:
        """Whether maps of a run folder are being made now."""
        current = self._current
        return current is not None and current[0] == run and current[1].poll() is None

    def start(self, run: Path) -> None:
        """Start making maps of a run folder; work on an earlier run ends."""
        command = [sys.executable, "-m", "bsd_engine", "map", str(run), "--follow"]
        try:
            process = subprocess.Popen(
                command,
                cwd=home(),
                env={**os.environ, **ONE_THREAD},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            log.warning("no UMAP maps for run %s: %s", run.name, error)
            return
        self.end()
        self._current = run, process
        _lower_priority(process.pid)
        threading.Thread(target=process.wait, name=f"maps {run.name}", daemon=True).start()

    def end(self) -> None:
        """End the process. Finished maps are kept. A laptop has memory for only one such process."""
        if self._current is not None and self._current[1].poll() is None:
            self._current[1].terminate()


def _lower_priority(pid: int) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, pid, LOWEST_PRIORITY)
    except OSError as error:
        log.info("process %d keeps its priority: %s", pid, error)
