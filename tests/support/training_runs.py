"""Helpers for tests of training: a recorded run with its events, commands to a run, and its threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochFinished, EpochState, Event, IterationDone
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.reader import RunReader


def training_threads() -> list[str]:
    """Return the names of the running threads that train an altruistic model."""
    return [t.name for t in threading.enumerate() if t.name.startswith("altruistic")]


@dataclass
class Recorded:
    """A complete run: its recorded folder and its events."""

    config: BSDConfig
    prepared: PreparedData
    path: Path
    events: list[Event]
    packed: list[bytes]
    """Each epoch's bytes at the moment of its event."""
    summary: dict[str, Any]

    @property
    def states(self) -> list[EpochState]:
        return [e.state for e in self.events if isinstance(e, EpochFinished)]

    @property
    def main(self) -> dict[int, EpochState]:
        """The main epochs by T."""
        return {s.main_epoch: s for s in self.states if s.main_epoch >= 0}


def command_at(path: Path, stage: str, command: str, iteration: int = 1) -> Callable[[Event], None]:
    """Return a listener that gives a command after an iteration of the first epoch of a stage."""
    given: list[Event] = []

    def listen(event: Event) -> None:
        if isinstance(event, IterationDone) and event.stage == stage and event.iteration == iteration and not given:
            given.append(event)
            send_command(path, command)

    return listen


def wait_for(status: str, path: Path) -> RunReader:
    """Return the reader of a run, once the run has a status."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (path / "config.json").exists() and (reader := RunReader(path)).status == status:
            return reader
        time.sleep(0.02)
    raise AssertionError(f"the run was never {status}")
