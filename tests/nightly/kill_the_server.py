"""Kill the dashboard's server at random moments of a run that its page started, and resume it from the page of a new
server.

    python -m tests.nightly.kill_the_server [KILLS] [SEED]      default 20 0; about half a minute each on two cores

Every epoch is compared with an uninterrupted run.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bsd_engine.errors import BSDError
from bsd_engine.runs.layout import list_runs
from bsd_engine.runs.lock import is_locked
from bsd_engine.runs.reader import RunReader
from tests.nightly.kill_and_resume import compare, kill_at_random
from tests.support.page.dashboard import Dashboard
from tests.support.page.page_socket import PageSocket

PATIENCE = 180.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition on files."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {PATIENCE:g} s: {what}")
        time.sleep(0.02)


def started(server: Dashboard) -> Path:
    """Start a run of the smoke preset from the page; returns its folder."""
    with PageSocket(server.port) as page:
        page.rerun()
        page.rerun(choose=("Preset", "smoke"))
        page.rerun(press="Start")
    until(lambda: bool(list_runs(server.runs)), "the run's folder")
    return list_runs(server.runs)[0]


def ended(path: Path) -> bool:
    """Return whether a run has ended."""
    return (path / "summary.json").exists() and not is_locked(path)


def whole(place: Path) -> tuple[Path, float]:
    """Train a run without interruption; returns its folder and the seconds of its training."""
    with Dashboard(place / "whole", place / "log") as server:
        path = started(server)
        until(lambda: ended(path), "the end of the uninterrupted run")
    return path, RunReader(path).summary["seconds"]


def killed(place: Path, after: float) -> tuple[Path, str]:
    """Kill the server of a run some seconds after its folder appears, and resume it from the page of another server;
    returns its folder and its state at the kill."""
    with Dashboard(place, place.parent / "log") as server:
        path = started(server)
        time.sleep(after)
        server.kill()
    reader = RunReader(path)
    hit = f"{reader.status} with {len(reader.epochs)} epochs"
    if reader.status != "finished":
        with Dashboard(place, place.parent / "log") as server, PageSocket(server.port, f"run={path.name}") as page:
            page.rerun()
            if not any("Interrupted" in text for text in page.texts):
                raise SystemExit(f"the page does not say that the run was interrupted: {page.texts}")
            page.rerun(press="Resume")
            until(lambda: ended(path), f"the end of the run resumed after {after:.2f} s ({hit})")
    return path, hit


def main(*numbers: int) -> int:
    """Run with the given kills and seed; returns the number of runs that ended differently."""
    with tempfile.TemporaryDirectory() as folder:
        reference, seconds = whole(Path(folder))

        def kill(i: int, after: float) -> tuple[str, list[str]]:
            try:
                path, hit = killed(Path(folder) / f"killed-{i}", after)
                return hit, compare(reference, path)
            except (SystemExit, BSDError) as error:
                return "", [str(error)]

        return kill_at_random(seconds, kill, *numbers)


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
