"""Malformed inputs for all readers of files from elsewhere: each must end in one of the project's own errors or in a
result.

    python -m tests.nightly.fuzzing [INPUTS] [SEED]      default 10000 0; most take under a tenth of a second
    python -m tests.nightly.fuzzing foreign [INPUTS] [SEED]    a stranger's run folders alone; default 1000 0
    python -m tests.nightly.fuzzing TARGET SEED          repeat one input, with its traceback

An input fails if it raises any other error, takes more than 2 s, or makes the process a gigabyte larger.
"""

from __future__ import annotations

import math
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Collection
from pathlib import Path

from bsd_engine.errors import BSDError
from tests.nightly.foreign_runs import TARGETS as FOREIGN
from tests.nightly.fuzz_targets import SHARES, TARGETS, Attempt

MOST_SECONDS = {"foreign run": 20.0}
"""Of one input, if not 2 s; this target itself holds each of its readers to 2 s."""
MOST_BYTES = 1_000_000_000


def _bytes_used() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _once(attempt: Attempt, seed: str, most_seconds: float) -> tuple[str, float]:
    """Return the outcome of an input, and its seconds."""
    begin, before = time.perf_counter(), _bytes_used()
    try:
        attempt(random.Random(seed))
        outcome = "read"
    except BSDError:
        outcome = "refused"
    except Exception as error:
        outcome = f"{type(error).__name__}: {str(error)[:200]}"
    seconds = time.perf_counter() - begin
    if seconds > most_seconds:
        outcome = f"took {seconds:.1f} s"
    if _bytes_used() - before > MOST_BYTES:
        outcome = f"took {(_bytes_used() - before) / 1e9:.1f} GB"
    return outcome, seconds


def _measure(name: str, count: int, seed: int) -> int:
    """Print one line about a target, and one about each failed input; returns the number of failed inputs."""
    folder = Path(tempfile.mkdtemp(prefix="fuzzing-"))
    try:
        attempt, bad, slowest, ends = TARGETS[name](folder), 0, 0.0, {"read": 0, "refused": 0}
        for i in range(count):
            outcome, seconds = _once(attempt, f"{seed}-{i}", MOST_SECONDS.get(name, 2.0))
            slowest = max(slowest, seconds)
            if outcome in ends:
                ends[outcome] += 1
            else:
                bad += 1
                print(f"  {name} {seed}-{i}: {outcome}", flush=True)
    finally:
        shutil.rmtree(folder)
    print(
        f"{name:<12}{count:>7} inputs: {ends['refused']:>6} refused, {ends['read']:>6} read, {bad} failed; "
        f"slowest {slowest:.2f} s",
        flush=True,
    )
    return bad


def main(count: int, seed: int, chosen: Collection[str] = tuple(TARGETS)) -> int:
    """Run the chosen targets with `count` inputs in total; returns the number of failed inputs."""
    weights = {name: SHARES.get(name, 1.0) for name in chosen}
    shares = {name: math.ceil(count * weight / sum(weights.values())) for name, weight in weights.items()}
    bad = sum(_measure(name, shares[name], seed) for name in weights)
    total = sum(shares.values())
    print(f"{total - bad} of {total} inputs ended well; {_bytes_used() / 1e6:.0f} MB at most")
    return bad


def again(name: str, seed: str) -> None:
    """Repeat one input, with its traceback."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            TARGETS[name](Path(folder))(random.Random(seed))
        except BSDError as error:
            print(f"refused: {error}")
        except Exception:
            traceback.print_exc()


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in TARGETS:
        again(sys.argv[1], sys.argv[2])
    elif sys.argv[1:2] == ["foreign"]:
        given = [int(argument) for argument in sys.argv[2:]]
        sys.exit(bool(main(*given, *(1000, 0)[len(given) :], chosen=tuple(FOREIGN))))
    else:
        given = [int(argument) for argument in sys.argv[1:]]
        sys.exit(bool(main(*given, *(10_000, 0)[len(given) :])))
