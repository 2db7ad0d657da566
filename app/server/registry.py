"""The runs of this server, shared by every browser tab: it starts, resumes, branches and commands them.

Tabs come and go; a run belongs to the server process and to its folder on disk. Nothing here but `registry` touches
Streamlit, so that the training thread can never call it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from pathlib import Path

import streamlit as st

from app.server import data_paths
from app.server.home import default_runs
from app.server.lifecycle import before_shutdown, load_engine
from app.server.map_process import MapProcess
from app.server.noting import noted
from app.server.queue import Job, OnEvent, TrainingQueue
from app.server.viewers import Viewers
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.recordings import library
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.layout import NO_BRANCH, Command, new_run_id, run_names
from bsd_engine.runs.lock import is_locked
from bsd_engine.runs.origin import provenance
from bsd_engine.runs.reader import RunReader

TRIGGERS = ".triggers"
"""Folder below the root where uploaded trigger images are kept."""
START_PATIENCE = 3.0
"""Seconds that a start waits for an error in the data. A download takes longer and goes on in the background."""
BRANCH_PATIENCE = 0.3
"""Seconds that a branch waits for an error in its settings."""
STOP_PATIENCE = 10.0
"""Seconds that the server waits at its end for a run to stop; a run stops within an iteration."""
MAPS_AFTER_EPOCHS = 2
"""Epochs before the first map: loading umap takes a core for seconds, and the first charts would wait for that."""


def runs_root() -> Path:
    """The folder of the run folders: beside streamlit_app.py, unless BSD_RUNS names another folder."""
    return Path(os.environ.get("BSD_RUNS") or default_runs()).resolve()


def is_recording(run_id: str) -> bool:
    """Whether an id has the form of a recording's id, even if that recording does not exist."""
    return run_id.startswith(library.PREFIX)


class RunRegistry:
    """Starts, resumes and commands the runs below one folder. Safe to use from any thread."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.viewers = Viewers()
        self._maps = MapProcess()
        self._queue = TrainingQueue(self._on_epoch)
        before_shutdown(self.close)

    @property
    def triggers(self) -> Path:
        """Folder of the uploaded trigger images that runs use; a hidden folder is no run."""
        return self.root / TRIGGERS

    @property
    def active(self) -> str | None:
        """The run that this server trains now; its folder may not exist yet."""
        return self._queue.active

    @property
    def waiting(self) -> list[str]:
        """Runs in the queue, the next one first; the folders of new runs do not exist yet."""
        return self._queue.waiting

    @property
    def crafting(self) -> str | None:
        """The part of the trigger that the run in preparation is crafting, and its progress."""
        return self._queue.crafting

    def is_preparing(self, run_id: str) -> bool:
        """Whether a run has left the queue but has not begun to train."""
        return self._queue.is_preparing(run_id)

    def position_in_queue(self, run_id: str) -> int | None:
        """Number of trainings ahead of a waiting run, 1 or more; None for a run that is not waiting."""
        return self._queue.position(run_id)

    def is_mapping(self, run_id: str) -> bool:
        """Whether UMAP maps of a run are being made; this may go on after its end."""
        return self._maps.follows(self.root / run_id)

    def error(self, run_id: str) -> str | None:
        """The reason why the last training of a run ended early, as one sentence."""
        return self._queue.error(run_id)

    def run_ids(self) -> list[str]:
        """Recorded runs, newest first."""
        return [name for name in run_names(self.root) if self._is_below_root(name)]

    def recording_ids(self) -> list[str]:
        """Recordings that come with the program, in the order in which they are offered."""
        return [f"{library.PREFIX}{name}" for name in library.names()]

    def path(self, run_id: str) -> Path:
        """The folder of a run named in an address: directly below the root, or an unpacked recording.

        Raises
        ------
        RunFolderError
            For anything else.
        """
        if is_recording(run_id):
            return library.open_recording(run_id.removeprefix(library.PREFIX))
        if not self._is_below_root(run_id):
            raise RunFolderError(f"There is no run called {run_id!r} in {self.root}; choose one from the list.")
        return self.root / run_id

    def _is_below_root(self, run_id: str) -> bool:
        if not run_id or run_id in (".", "..") or any(c in run_id for c in "/\\\0"):
            return False
        try:
            return stat.S_ISDIR(os.lstat(f"{self.root}/{run_id}").st_mode)  # a link leads elsewhere
        except (OSError, ValueError):  # a name that no file system accepts
            return False

    def start(self, config: BSDConfig) -> str:
        """Begin a run, or add it to the queue; returns its id.

        Raises
        ------
        BSDError
            If the queue is full, or an error in the settings or the data shows at once. Nothing was started then.
        """
        from bsd_engine.prepare import prepare
        from bsd_engine.runs import record

        data_paths.check_config(config, self.triggers)
        run_id, ready = new_run_id(), threading.Event()

        def train(on_event: OnEvent) -> None:
            prepared = prepare.prepare(config)
            ready.set()
            record.record_run(config, self.root / run_id, prepared=prepared, on_event=on_event)

        self._begin(Job(run_id, train, ready), START_PATIENCE)
        noted(self.root, "start", run_id)
        return run_id

    def resume(self, run_id: str) -> str:
        """Continue a run after its last checkpoint, or add it to the queue; returns its id."""
        from bsd_engine.runs import record

        path = self.path(run_id)
        if is_locked(path):
            raise RunFolderError(f"Run {run_id} is being trained by another process; stop it there first.")
        provenance.refuse_foreign(path, "resumed")
        data_paths.check_run(RunReader(path), self.triggers)
        self._queue.add(Job(run_id, lambda on_event: record.resume_run(path, on_event=on_event)))
        noted(self.root, "resume", run_id)
        return run_id

    def branch(self, run_id: str, epoch: int, config: BSDConfig) -> str:
        """Begin a run from another run's checkpoint with other settings, or add it to the queue; returns its id."""
        from bsd_engine.runs import record

        source, new_id = self.path(run_id), new_run_id()
        if is_recording(run_id):
            raise RunFolderError(NO_BRANCH)
        provenance.refuse_foreign(source, "branched from")
        data_paths.check_run(RunReader(source), self.triggers)
        data_paths.check_config(config, self.triggers)

        def train(on_event: OnEvent) -> None:
            record.branch_run(source, epoch, config, self.root / new_id, on_event=on_event)

        self._begin(Job(new_id, train), BRANCH_PATIENCE)
        noted(self.root, "branch", new_id, source=run_id)
        return new_id

    def command(self, run_id: str, command: Command) -> None:
        """Tell the writer of a run, here or in a terminal, to pause, resume or stop; a waiting run leaves the queue."""
        is_new = not (self.root / run_id).exists()
        reason = "It was removed from the queue before it began." if is_new else None
        if command == "stop" and self._queue.remove(run_id, reason):
            noted(self.root, command, run_id)
            return
        path = self.path(run_id)
        provenance.refuse_foreign(path, "commanded")
        if not is_locked(path):
            raise RunFolderError(f"No process is training run {run_id} any more, so it cannot {command}.")
        send_command(path, command)
        noted(self.root, command, run_id)

    def close(self) -> None:
        """Stop everything that this server started, and wait a moment for the run to record that in its folder."""
        self._queue.clear()
        active = self._queue.active
        if active is not None and (self.root / active).is_dir():
            with contextlib.suppress(BSDError):
                send_command(self.root / active, "stop")
            self._queue.join(STOP_PATIENCE)
        self._maps.end()

    def _begin(self, job: Job, patience: float) -> None:
        """Begin a job or add it to the queue; raises the error that made it fail at once."""
        if self._queue.add(job):
            job.ready.wait(patience)
            if self._queue.active != job.run_id and not (self.root / job.run_id).exists():
                if (error := self._queue.take_error(job.run_id)) is not None:
                    raise BSDError(error)

    def _on_epoch(self, run_id: str, epochs: int) -> None:
        if epochs == MAPS_AFTER_EPOCHS:
            self._maps.start(self.root / run_id)


@st.cache_resource(show_spinner=False, max_entries=8, on_release=lambda r: r.close())
def _registry(root: Path) -> RunRegistry:
    threading.Thread(target=load_engine, name="load engine", daemon=True).start()
    return RunRegistry(root)


def registry() -> RunRegistry:
    """The one registry of this server."""
    return _registry(runs_root())
