"""The runs of this server: one training at a time on a background thread, the rest in a queue, shared by every browser tab.

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from app.server import data_paths
from app.server.viewers import Viewers
from bsd_engine.compute.progress import shown_by
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.events import EpochFinished, Event, RunStarted
from bsd_engine.recordings import library
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.layout import Command, list_runs, new_run_id
from bsd_engine.runs.lock import is_locked
from bsd_engine.runs.reader import RunReader

TRIGGERS = ".triggers"
ROOT = Path(__file__).resolve().parents[2]
MAP_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
START_PATIENCE = 3.0
"""Seconds that a start waits for bad data to show; a download takes longer and is waited for in the background."""
BRANCH_PATIENCE = 0.3
"""Seconds that a branch waits for settings that do not fit to show."""
STOP_PATIENCE = 10.0
"""Seconds that the end of the server waits for a run to stop; it obeys within an iteration."""

MOST_WAITING = 8
"""Runs in the queue. It is kept in memory: what has not begun when the server ends is not started by the next one."""

OnEvent = Callable[[Event], None]
log = logging.getLogger(__name__)


def runs_root() -> Path:
    """Where run folders lie: beside streamlit_app.py, unless BSD_RUNS names another folder."""
    return Path(os.environ.get("BSD_RUNS") or ROOT / "runs").resolve()


@dataclass(frozen=True)
class _Job:
    """A training that is wanted: what to do, and the event that is set when its data are ready, or at its end."""

    run_id: str
    work: Callable[[OnEvent], Any]
    ready: threading.Event


def is_recording(run_id: str) -> bool:
    """Whether an id names one of the recordings that come with the program, or one that there is not."""
    return run_id.startswith(library.PREFIX)


class RunRegistry:
    """Starts, resumes and commands the runs below one folder. Safe to use from any thread."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._active: str | None = None
        self._thread: threading.Thread | None = None
        self._waiting: list[_Job] = []
        self._preparing = threading.Event()
        self._crafting: str | None = None
        self._errors: dict[str, str] = {}
        self._maps: tuple[str, subprocess.Popen[bytes]] | None = None
        self.viewers = Viewers()
        before_shutdown(self.close)

    @property
    def triggers(self) -> Path:
        """Where uploaded pictures are kept for runs; a hidden folder is no run."""
        return self.root / TRIGGERS

    @property
    def active(self) -> str | None:
        """The run that this server trains now; its folder may not be there yet."""
        return self._active

    def preparing(self, run_id: str) -> bool:
        """Whether a run is on its way here, but has not begun to train."""
        return self._active == run_id and self._preparing.is_set()

    def place(self, run_id: str) -> int | None:
        """How many trainings are over before that of a waiting run begins, 1 or more; None for a run that does not wait."""
        with self._lock:
            return next((i for i, job in enumerate(self._waiting, 1) if job.run_id == run_id), None)

    @property
    def waiting(self) -> list[str]:
        """Runs in the queue, the next one first; the folders of new ones are not there yet."""
        with self._lock:
            return [job.run_id for job in self._waiting]

    @property
    def crafting(self) -> str | None:
        """What of its trigger the run that is being prepared crafts, and how far it has come."""
        return self._crafting

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

    def recording_ids(self) -> list[str]:
        """Recordings that come with the program, in the order in which they are offered."""
        return [f"{library.PREFIX}{name}" for name in library.names()]

    def path(self, run_id: str) -> Path:
        """The folder of a run named by a page's address: one directly below the root, or a recording, which is unpacked; anything
        else is refused."""
        if is_recording(run_id):
            return library.open_recording(run_id.removeprefix(library.PREFIX))
        if not self._is_below_root(run_id):
            raise RunFolderError(f"There is no run called {run_id!r} in {self.root}; choose one from the list.")
        return self.root / run_id

    def _is_below_root(self, run_id: str) -> bool:
        if not run_id or run_id in (".", "..") or any(c in run_id for c in "/\\\0"):
            return False
        path = self.root / run_id
        try:
            return path.is_dir() and path.resolve() == self.root.resolve() / run_id
        except (OSError, ValueError):  # a name that no file system takes
            return False

    def start(self, config: BSDConfig) -> str:
        """Begin a run, or have it wait until the one that trains here is over; returns its id.

        Raises
        ------
        BSDError
            If the queue is full, or the settings or the data are found unfit at once; nothing was started.
        """
        from bsd_engine.prepare import prepare
        from bsd_engine.runs import record

        data_paths.check_config(config, self.triggers)
        run_id, ready = new_run_id(), threading.Event()

        def job(on_event: OnEvent) -> None:
            prepared = prepare.prepare(config)
            ready.set()
            record.record_run(config, self.root / run_id, prepared=prepared, on_event=on_event)

        return self._begun(_Job(run_id, job, ready), START_PATIENCE)

    def _begun(self, job: _Job, patience: float) -> str:
        """Begin a job or have it wait; returns its run, or raises what made it fail at once."""
        if self._enqueue(job):
            job.ready.wait(patience)
            if self._active != job.run_id and not (self.root / job.run_id).exists() and job.run_id in self._errors:
                raise BSDError(self._errors.pop(job.run_id))
        return job.run_id

    def resume(self, run_id: str) -> str:
        """Go on with a run after its last checkpoint, or have it wait for its turn."""
        from bsd_engine.runs import record

        path = self.path(run_id)
        if is_locked(path):
            raise RunFolderError(f"Run {run_id} is being trained by another process; stop it there first.")
        data_paths.check_config(RunReader(path).config, self.triggers)
        self._enqueue(_Job(run_id, lambda on_event: record.resume_run(path, on_event=on_event), threading.Event()))
        return run_id

    def branch(self, run_id: str, epoch: int, config: BSDConfig) -> str:
        """Begin a run from a checkpoint of another one, with other settings for the epochs after it, or have it wait; returns its id."""
        from bsd_engine.runs import record

        data_paths.check_config(config, self.triggers)
        source, new_id = self.path(run_id), new_run_id()

        def job(on_event: OnEvent) -> None:
            record.branch_run(source, epoch, config, self.root / new_id, on_event=on_event)

        return self._begun(_Job(new_id, job, threading.Event()), BRANCH_PATIENCE)

    def command(self, run_id: str, command: Command) -> None:
        """Ask the writer of a run, here or in a terminal, to pause, resume or stop; a waiting run is taken out of the queue."""
        if command == "stop" and self._forget(run_id):
            return
        path = self.path(run_id)
        if not is_locked(path):
            raise RunFolderError(f"Nobody trains run {run_id} any more, so it cannot {command}.")
        send_command(path, command)

    def close(self) -> None:
        """Stop what this server started, and wait a moment for the run to say so in its folder."""
        with self._lock:
            self._waiting.clear()
        active, thread = self._active, self._thread
        if active is not None and thread is not None and (self.root / active).is_dir():
            with contextlib.suppress(BSDError):
                send_command(self.root / active, "stop")
            thread.join(STOP_PATIENCE)
        self._end_maps()

    def _enqueue(self, job: _Job) -> bool:
        """Begin a job, or put it into the queue; whether it has begun."""
        with self._lock:
            if job.run_id == self._active or any(job.run_id == other.run_id for other in self._waiting):
                raise RunFolderError(f"Run {job.run_id} is on its way already; wait for its turn.")
            if self._active is None:
                self._launch(job)
                return True
            if len(self._waiting) >= MOST_WAITING:
                raise RunFolderError(
                    f"Run {self._active} is still training and {MOST_WAITING} more are waiting, since this machine "
                    "trains one run at a time; stop one of them first."
                )
            self._errors.pop(job.run_id, None)
            self._waiting.append(job)
            return False

    def _forget(self, run_id: str) -> bool:
        """Take a run out of the queue; whether it was in it."""
        with self._lock:
            kept = [job for job in self._waiting if job.run_id != run_id]
            found, self._waiting = len(kept) < len(self._waiting), kept
            if found and not (self.root / run_id).exists():
                self._errors[run_id] = "It was taken out of the queue before it began."
        return found

    def _launch(self, job: _Job) -> None:
        """Do a job on a thread of its own; the lock is held."""
        self._active = job.run_id
        self._preparing.set()
        self._errors.pop(job.run_id, None)
        self._thread = threading.Thread(target=self._work, args=(job,), name=f"run {job.run_id}", daemon=True)
        self._thread.start()

    def _next(self) -> None:
        """The turn of the first that waits."""
        with self._lock:
            self._active = self._crafting = None
            if self._waiting:
                self._launch(self._waiting.pop(0))

    def _note_steps(self, steps: range, what: str) -> Iterator[int]:
        for i in steps:
            self._crafting = f"{what}, step {i + 1} of {len(steps)}"
            yield i
        self._crafting = None

    def _work(self, job: _Job) -> None:
        epochs, run_id = 0, job.run_id

        def on_event(event: Event) -> None:
            nonlocal epochs
            if isinstance(event, RunStarted):
                self._preparing.clear()
            elif isinstance(event, EpochFinished):
                epochs += 1
                if epochs == 2:  # loading umap takes a core for seconds, which the first charts would wait for
                    self._start_maps(run_id)

        try:
            with shown_by(self._note_steps):
                job.work(on_event)
        except BSDError as error:
            self._errors[run_id] = str(error)
        except Exception as error:  # the boundary of the worker: a page shows this, the terminal has the traceback
            log.exception("run %s failed", run_id)
            self._errors[run_id] = (
                f"The run ended on an unexpected error ({type(error).__name__}: {error}). Finished epochs "
                "are kept; the terminal shows the details."
            )
        finally:
            self._next()
            job.ready.set()

    def _start_maps(self, run_id: str) -> None:
        """Have UMAP maps made by a process of the lowest priority: numba would hold this one's interpreter lock."""
        command = [sys.executable, "-m", "bsd_engine", "map", str(self.root / run_id), "--follow"]
        try:
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **MAP_THREADS},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
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
    from bsd_engine.config import presets
    from bsd_engine.runs import record

    with contextlib.suppress(BSDError), contextlib.closing(record.BSDTrainer(presets.smoke()).run()) as events:
        for _ in itertools.islice(events, 3):
            pass


@st.cache_resource(show_spinner=False, max_entries=8, on_release=lambda r: r.close())
def _registry(root: Path) -> RunRegistry:
    threading.Thread(target=_load_engine, name="load engine", daemon=True).start()
    return RunRegistry(root)


def registry() -> RunRegistry:
    """The one registry of this server."""
    return _registry(runs_root())
