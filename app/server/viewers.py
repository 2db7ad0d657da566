"""Counts the pages that watch a run. Each looks less often if there are many: a look takes 28 ms of the run's core."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PRESENT_SECONDS = 10.0
"""A page that has not looked for this long counts as closed."""
PAGES_A_SECOND, MOST_SECONDS = 6, 3
"""Number of pages that may look every second, and the longest time between two looks: 20 pages look every three
seconds."""


class Viewers:
    """Records which pages look at which run. Safe to use from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._looks: dict[tuple[str, str], float] = {}

    def seconds_between_looks(self, run_id: str, page: str) -> float:
        """Record that a page looks at a run; returns the seconds that it should wait until its next look."""
        now = self._clock()
        with self._lock:
            self._looks = {who: last for who, last in self._looks.items() if last > now - PRESENT_SECONDS}
            self._looks[run_id, page] = now
            watching = sum(run == run_id for run, _ in self._looks)
        return float(min(MOST_SECONDS, 1 + (watching - 1) // PAGES_A_SECOND))
