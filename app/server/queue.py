"""The queue of trainings of a server: one runs on a background thread, the others wait. No streamlit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bsd_engine.compute.progress import shown_by
from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.events import EpochFinished, Event, RunStarted

MOST_WAITING = 8
"""Most runs in the queue. It is kept in memory: runs that have not begun when the server ends are not started later."""

OnEvent = Callable[[Event], None]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One training."""

    run_id: str
    work: Callable[[OnEvent], Any]
    """Trains, and passes every event to the given function."""
    ready: threading.Event = field(default_factory=threading.Event)
    """Set when the data are ready, or when the job ends."""


class TrainingQueue:
    """Runs one job after the other. Safe to use from any thread.

    Parameters
    ----------
    on_epoch : called on the training's thread with the run's id and how many epochs it has finished here
    """

    def __init__(self, on_epoch: Callable[[str, int], None]) -> None:
        self._on_epoch = on_epoch
        self._lock = threading.Lock()
        self._active: str | None = None
        self._thread: threading.Thread | None = None
        self._waiting: list[Job] = []
        self._preparing = threading.Event()
        self._crafting: str | None = None
        self._errors: dict[str, str] = {}

    @property
    def active(self) -> str | None:
        """The run that trains now; its folder may not exist yet."""
        return self._active

    @property
    def waiting(self) -> list[str]:
        """Runs in the queue, the next one first; the folders of new runs do not exist yet."""
        with self._lock:
            return [job.run_id for job in self._waiting]

    @property
    def crafting(self) -> str | None:
        """The part of the trigger that the run in preparation is crafting, and its progress."""
        return self._crafting

    def position(self, run_id: str) -> int | None:
        """Number of trainings ahead of a waiting run, 1 or more; None for a run that is not waiting."""
        with self._lock:
            return next((i for i, job in enumerate(self._waiting, 1) if job.run_id == run_id), None)

    def is_preparing(self, run_id: str) -> bool:
        """Whether a run has left the queue but has not begun to train."""
        return self._active == run_id and self._preparing.is_set()

    def error(self, run_id: str) -> str | None:
        """The reason why the last training of a run ended early, as one sentence."""
        return self._errors.get(run_id)

    def take_error(self, run_id: str) -> str | None:
        """The error of a run, as from `error`, which is then forgotten."""
        return self._errors.pop(run_id, None)

    def add(self, job: Job) -> bool:
        """Begin a job, or add it to the queue; returns whether it has begun.

        Raises
        ------
        RunFolderError
            If the run is in training or waiting already, or the queue is full.
        """
        with self._lock:
            if job.run_id == self._active or any(job.run_id == other.run_id for other in self._waiting):
                raise RunFolderError(f"Run {job.run_id} is in training or in the queue already; wait for its turn.")
            if self._active is None:
                self._begin(job)
                return True
            if len(self._waiting) >= MOST_WAITING:
                raise RunFolderError(
                    f"Run {self._active} is still training and {MOST_WAITING} more are waiting, since this machine "
                    "trains one run at a time. Stop one of them first."
                )
            self._errors.pop(job.run_id, None)
            self._waiting.append(job)
            return False

    def remove(self, run_id: str, reason: str | None) -> bool:
        """Remove a run from the queue and keep the reason as its error; returns whether the run was waiting."""
        with self._lock:
            kept = [job for job in self._waiting if job.run_id != run_id]
            was_waiting, self._waiting = len(kept) < len(self._waiting), kept
            if was_waiting and reason is not None:
                self._errors[run_id] = reason
        return was_waiting

    def clear(self) -> None:
        """Remove all waiting runs from the queue."""
        with self._lock:
            self._waiting.clear()

    def join(self, seconds: float) -> None:
        """Wait for the training thread to end, at most for the given time."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _begin(self, job: Job) -> None:
        """Start a job on a thread of its own; the caller holds the lock."""
        self._active = job.run_id
        self._preparing.set()
        self._errors.pop(job.run_id, None)
        self._thread = threading.Thread(target=self._work, args=(job,), name=f"run {job.run_id}", daemon=True)
        self._thread.start()

    def _begin_next(self) -> None:
        """Begin the first waiting job."""
        with self._lock:
            self._active = self._crafting = None
            if self._waiting:
                self._begin(self._waiting.pop(0))

    def _work(self, job: Job) -> None:
        epochs, run_id = 0, job.run_id

        def on_event(event: Event) -> None:
            nonlocal epochs
            if isinstance(event, RunStarted):
                self._preparing.clear()
            elif isinstance(event, EpochFinished):
                epochs += 1
                self._on_epoch(run_id, epochs)

        try:
            with shown_by(self._note_steps):
                job.work(on_event)
        except BSDError as error:
            self._errors[run_id] = str(error)
        except Exception as error:  # the worker's outermost handler: a page shows this, the terminal has the traceback
            log.exception("run %s failed", run_id)
            self._errors[run_id] = (
                f"The run ended with an unexpected error ({type(error).__name__}: {error}). Finished epochs are kept; "
                "the terminal shows the details."
            )
        finally:
            self._begin_next()
            job.ready.set()

    def _note_steps(self, steps: range, what: str) -> Iterator[int]:
        for i in steps:
            self._crafting = f"{what}, step {i + 1} of {len(steps)}"
            yield i
        self._crafting = None
