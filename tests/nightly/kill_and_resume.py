"""Kill a training process at random moments, resume it, and compare every epoch with an uninterrupted run.

python -m tests.nightly.kill_and_resume [KILLS] [SEED]      default 20 0; a quarter of a minute each on two cores
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bsd_engine.runs.reader import RunReader
from tests.support.short_runs import differences

ROOT = Path(__file__).parents[2]
OPTIONS = (
    "--preset",
    "smoke",
    "--device",
    "cpu",
    "--limit",
    "400",
    "--iterations",
    "6",
    "--altruistic-epochs",
    "3",
    "--t2",
    "7",
    "--t3",
    "9",
)


def train(*arguments: str) -> subprocess.Popen[bytes]:
    """Start a training process."""
    return subprocess.Popen(
        [sys.executable, "-m", "bsd_engine", "train", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def whole(folder: Path) -> float:
    """Train a run without interruption; returns the seconds of its training."""
    if train(*OPTIONS, "--out", str(folder)).wait():
        raise SystemExit("the reference run failed")
    return RunReader(folder).summary["seconds"]


def killed(folder: Path, after: float) -> str:
    """Kill a run some seconds after its folder appears, and resume it; returns its state at the kill."""
    process = train(*OPTIONS, "--out", str(folder))
    while not (folder / "config.json").exists():
        time.sleep(0.01)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    hit = f"{RunReader(folder).status} with {len(RunReader(folder).epochs)} epochs"
    if RunReader(folder).status != "finished" and train("--resume", str(folder)).wait():
        raise SystemExit(f"the run killed after {after:.2f} s ({hit}) cannot be resumed")
    return hit


def compare(a: Path, b: Path) -> list[str]:
    """Return the differences between two finished runs, except in time."""
    ours, theirs = RunReader(a), RunReader(b)
    if ours.epochs != theirs.epochs or theirs.status != "finished":
        return [f"{len(theirs.epochs)} epochs, {theirs.status}"]
    return differences([ours.epoch(e) for e in ours.epochs], [theirs.epoch(e) for e in theirs.epochs])


def kill_at_random(
    seconds: float, kill: Callable[[int, float], tuple[str, list[str]]], kills: int = 20, seed: int = 0
) -> int:
    """Print one line per kill; returns the number of runs that ended differently.

    Parameters
    ----------
    seconds : duration of an uninterrupted run
    kill : does kill number i, that many seconds after the run's folder appears; returns the run's state at the kill and
        its differences
    """
    moments, wrong = random.Random(seed), 0
    for i in range(kills):
        after = moments.uniform(0, seconds)
        hit, found = kill(i, after)
        wrong += bool(found)
        print(
            f"{i + 1:>3}: killed after {after:.2f} of {seconds:.2f} s ({hit}): {'; '.join(found[:3]) or 'identical'}",
            flush=True,
        )
    print(f"{kills - wrong} of {kills} identical")
    return wrong


def main(*numbers: int) -> int:
    """Run with the given kills and seed; returns the number of runs that ended differently."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def kill(i: int, after: float) -> tuple[str, list[str]]:
            hit = killed(root / f"killed-{i}", after)
            return hit, compare(root / "whole", root / f"killed-{i}")

        return kill_at_random(whole(root / "whole"), kill, *numbers)


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
