"""Kill a training process at random moments, resume it, and compare every epoch with a run that was never interrupted.

    python -m tests.kill_and_resume [KILLS] [SEED]      default 20 0; a quarter of a minute each on two cores
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bsd_engine.runs import RunReader
from tests.short_runs import differences

ROOT = Path(__file__).parents[1]
OPTIONS = ("--preset", "smoke", "--device", "cpu", "--limit", "400", "--iterations", "6", "--altruistic-epochs", "3", "--t2", "7", "--t3", "9")


def train(*arguments: str) -> subprocess.Popen[bytes]:
    """A training process."""
    return subprocess.Popen([sys.executable, "-m", "bsd_engine", "train", *arguments], cwd=ROOT,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def whole(folder: Path) -> float:
    """A run that nobody interrupts; seconds of its training."""
    if train(*OPTIONS, "--out", str(folder)).wait():
        raise SystemExit("the reference run failed")
    return RunReader(folder).summary["seconds"]


def killed(folder: Path, after: float) -> str:
    """A run killed some seconds after its folder was there, and resumed; tells when it was hit."""
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
    """Where two finished runs differ, time aside."""
    ours, theirs = RunReader(a), RunReader(b)
    if ours.epochs != theirs.epochs or theirs.status != "finished":
        return [f"{len(theirs.epochs)} epochs, {theirs.status}"]
    return differences([ours.epoch(e) for e in ours.epochs], [theirs.epoch(e) for e in theirs.epochs])


def main(kills: int, seed: int) -> int:
    """Print one line a kill; returns how many runs ended differently."""
    moments, wrong = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as folder:
        seconds = whole(Path(folder) / "whole")
        for i in range(kills):
            after = moments.uniform(0, seconds)
            hit = killed(Path(folder) / f"killed-{i}", after)
            found = compare(Path(folder) / "whole", Path(folder) / f"killed-{i}")
            wrong += bool(found)
            print(f"{i + 1:>3}: killed after {after:.2f} of {seconds:.2f} s ({hit}): {'; '.join(found[:3]) or 'identical'}", flush=True)
    print(f"{kills - wrong} of {kills} identical")
    return wrong


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    sys.exit(bool(main(*given, *(20, 0)[len(given):])))
