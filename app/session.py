"""The runs of this server: one training at a time on a background thread, shared by every browser tab.

Tabs come and go; a run belongs to the server process and to its folder on disk. Nothing here but `registry` touches
Streamlit, so that the thread can never call it.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from bsd_engine.config import BSDConfig
from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.events import EpochFinished, Event, RunStarted
from bsd_engine.runs import Command, is_locked, list_runs, new_run_id, send_command

ROOT = Path(__file__).resolve().parents[1]
MAP_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
START_PATIENCE = 3.0
"""Seconds that a start waits for bad data to show; a download takes longer and is waited for in the background."""
STOP_PATIENCE = 10.0
"""Seconds that the end of the server waits for a run to stop; it obeys within an iteration."""

OnEvent = Callable[[Event], None]
log = logging.getLogger(__name__)


def runs_root() -> Path:
    """Where run folders lie: beside streamlit_app.py, unless BSD_RUNS names another folder."""
    return Path(os.environ.get("BSD_RUNS") or ROOT / "runs").resolve()


class RunRegistry:
    """Starts, resumes and commands the runs below one folder. Safe to use from any thread."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._active: str | None = None
        self._thread: threading.Thread | None = None
        self._preparing = threading.Event()
        self._errors: dict[str, str] = {}
        self._maps: tuple[str, subprocess.Popen[bytes]] | None = None
        before_shutdown(self.close)

    @property
    def active(self) -> str | None:
        """The run that this server trains now; its folder may not be there yet."""
        return self._active

    def preparing(self, run_id: str) -> bool:
        """Whether a run is on its way here, but has not begun to train."""
        return self._active == run_id and self._preparing.is_set()

    def error(self, run_id: str) -> str | None:
        """Why the last training of a run ended early, as one sentence."""
        return self._errors.get(run_id)

    def mapping(self, run_id: str) -> bool:
        """Whether UMAP maps of a run are being made; some come after its end."""
        maps = self._maps
        return maps is not None and maps[0] == run_id and maps[1].poll() is None

    def run_ids(self) -> list[str]:
        """Recorded runs, newest first."""
        return [path.name for path in list_runs(self.root) if self._is_below_root(path.name)]

    def path(self, run_id: str) -> Path:
        """The folder of a run named by a page's address; anything but a folder directly below the root is refused."""
        if not self._is_below_root(run_id):
            raise RunFolderError(f"There is no run called {run_id!r} in {self.root}; choose one from the list.")
        return self.root / run_id

    def _is_below_root(self, run_id: str) -> bool:
        if not run_id or run_id in (".", "..") or any(c in run_id for c in "/\\\0"):
            return False
        path = self.root / run_id
        return path.is_dir() and path.resolve() == self.root.resolve() / run_id

    def start(self, config: BSDConfig) -> str:
        """Begin a run and return its id.

        Raises
        ------
        BSDError
            If another run trains here, or the settings or the data are found unfit at once; nothing was started.
        """
        from bsd_engine import preflight, recorder

        run_id, ready = new_run_id(), threading.Event()

        def job(on_event: OnEvent) -> None:
            prepared = preflight.prepare(config)
            ready.set()
            recorder.record_run(config, self.root / run_id, prepared=prepared, on_event=on_event)

        self._launch(run_id, job, ready)
        ready.wait(START_PATIENCE)
        if self._active != run_id and not (self.root / run_id).exists() and run_id in self._errors:
            raise BSDError(self._errors.pop(run_id))
        return run_id

    def resume(self, run_id: str) -> str:
        """Go on with a run after its last checkpoint."""
        from bsd_engine import recorder

        path = self.path(run_id)
        if is_locked(path):
            raise RunFolderError(f"Run {run_id} is being trained by another process; stop it there first.")
        self._launch(run_id, lambda on_event: recorder.resume_run(path, on_event=on_event), threading.Event())
        return run_id

    def branch(self, source: str, epoch: int, config: BSDConfig) -> str:
        """Begin a run that goes on from an epoch of another one, with other settings, and return its id.

        Raises
        ------
        BSDError
            If another run trains here, or is found not to fit at once: a checkpoint that is not there, settings of the past.
        """
        from bsd_engine import preflight, recorder

        run_id, ready, path = new_run_id(), threading.Event(), self.path(source)

        def job(on_event: OnEvent) -> None:
            recorder.load_checkpoint(path, epoch)
            prepared = preflight.prepare(config)
            ready.set()
            recorder.branch_run(path, epoch, config, self.root / run_id, prepared=prepared, on_event=on_event)

        self._launch(run_id, job, ready)
        ready.wait(START_PATIENCE)
        if self._active != run_id and not (self.root / run_id).exists() and run_id in self._errors:
            raise BSDError(self._errors.pop(run_id))
        return run_id

    def command(self, run_id: str, command: Command) -> None:
        """Ask the writer of a run, here or in a terminal, to pause, resume or stop."""
        path = self.path(run_id)
        if not is_locked(path):
            raise RunFolderError(f"Nobody trains run {run_id} any more, so it cannot {command}.")
        send_command(path, command)

    def close(self) -> None:
        """Stop what this server started, and wait a moment for the run to say so in its folder."""
        active, thread = self._active, self._thread
        if active is not None and thread is not None and (self.root / active).is_dir():
            with contextlib.suppress(BSDError):
                send_command(self.root / active, "stop")
            thread.join(STOP_PATIENCE)
        self._end_maps()

    def _launch(self, run_id: str, job: Callable[[OnEvent], Any], over: threading.Event) -> None:
        """Do a job on a thread of its own, unless one is being done; `over` is set at its end at the latest."""
        with self._lock:
            if self._active is not None:
                raise RunFolderError(f"Run {self._active} is still training and this machine trains one run at a time; "
                                     "stop it first or wait until it has finished.")
            self._active = run_id
            self._preparing.set()
            self._errors.pop(run_id, None)
        self._thread = threading.Thread(target=self._work, args=(run_id, job, over), name=f"run {run_id}", daemon=True)
        self._thread.start()

    def _work(self, run_id: str, job: Callable[[OnEvent], Any], over: threading.Event) -> None:
        epochs = 0

        def on_event(event: Event) -> None:
            nonlocal epochs
            if isinstance(event, RunStarted):
                self._preparing.clear()
            elif isinstance(event, EpochFinished):
                epochs += 1
                if epochs == 2:  # loading umap takes a core for seconds, which the first charts would wait for
                    self._start_maps(run_id)

        try:
            job(on_event)
        except BSDError as error:
            self._errors[run_id] = str(error)
        except Exception as error:  # the boundary of the worker: a page shows this, the terminal has the traceback
            log.exception("run %s failed", run_id)
            self._errors[run_id] = (f"The run ended on an unexpected error ({type(error).__name__}: {error}). Finished epochs "
                                    "are kept; the terminal shows the details.")
        finally:
            self._active = None
            over.set()

    def _start_maps(self, run_id: str) -> None:
        """Have UMAP maps made by a process of the lowest priority: numba would hold this one's interpreter lock."""
        command = [sys.executable, "-m", "bsd_engine", "map", str(self.root / run_id), "--follow"]
        try:
            child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **MAP_THREADS}, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            log.warning("no UMAP maps for run %s: %s", run_id, error)
            return
        self._end_maps()
        self._maps = run_id, child
        with_lowest_priority(child.pid)
        threading.Thread(target=child.wait, name=f"maps {run_id}", daemon=True).start()

    def _end_maps(self) -> None:
        """End the maps of an earlier run: what it has is kept, and a laptop has memory for one such process."""
        if self._maps is not None and self._maps[1].poll() is None:
            self._maps[1].terminate()


def before_shutdown(close: Callable[[], None]) -> None:
    """Call a function when the interpreter ends, while threads still run.

    `atexit` comes too late: by then executors refuse work, so a training in progress would fail instead of stopping, and
    a thread inside torch ends the process with an abort.
    """
    getattr(threading, "_register_atexit", atexit.register)(close)


def with_lowest_priority(pid: int) -> None:
    """Let everything else go before a process."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, 19)
    except OSError as error:
        log.info("process %d keeps its priority: %s", pid, error)


def _load_engine() -> None:
    """Have ready what a first run would wait for: imports (2.7 s), the bundled images and torch's optimisers (1.9 s)."""
    from bsd_engine import presets, recorder

    with contextlib.suppress(BSDError), contextlib.closing(recorder.BSDTrainer(presets.smoke()).run()) as events:
        for _ in itertools.islice(events, 3):
            pass


@st.cache_resource(show_spinner=False, max_entries=8, on_release=lambda r: r.close())
def _registry(root: Path) -> RunRegistry:
    threading.Thread(target=_load_engine, name="load engine", daemon=True).start()
    return RunRegistry(root)


def registry() -> RunRegistry:
    """The one registry of this server."""
    return _registry(runs_root())
