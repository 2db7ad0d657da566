"""The cost of recording: seconds that the demo's training waits for its run folder, out of those of the whole run.

    python -m benchmarks.recording_cost     about a minute and a half on two cores

Runs with and without recording are not compared: on a busy machine the times of equal runs differ by a quarter.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bsd_engine.config.presets import demo
from bsd_engine.runs import record


def timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """Return the function with timing: each call adds its duration to a list."""

    def measured(*arguments: Any) -> Any:
        begin = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            seconds.append(time.perf_counter() - begin)

    return measured


def main() -> None:
    """Train the demo once and print the duration of the calls that write events and read commands."""
    spent: dict[str, list[float]] = {"_write": [], "_obey": []}
    for name, seconds in spent.items():
        setattr(record, name, timed(getattr(record, name), seconds))
    with tempfile.TemporaryDirectory() as folder:
        total = record.record_run(demo(), Path(folder) / "run")["seconds"]
    epochs = [s for s in spent["_write"] if s > 0.005]
    print(
        f"an epoch's files: median {1000 * statistics.median(epochs):.0f} ms; an event's commands: "
        f"median {1e6 * statistics.median(spent['_obey']):.0f} us"
    )
    waited = sum(map(sum, spent.values()))
    print(f"recording: {waited:.2f} s of {total:.1f} s, {100 * waited / total:.2f} %")


if __name__ == "__main__":
    main()
