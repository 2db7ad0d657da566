"""Odd command lines in a jail: each ends with exit status 0, 2 or 130, without a traceback, and harms no file.

    python -m tests.nightly.command_lines [LINES] [SEED]      default 2000 0
    python -m tests.nightly.command_lines again SEED-NUMBER   repeat one, with what it printed

A line fails if it prints a traceback, ends in any other way, computes for more than 2 s or waits for more than 20 s,
takes more than a gigabyte, changes a file that it was not told to write, or says that it wrote one and did not.
Training, measuring and drawing maps end where they would begin: what comes before them is what is tested.
"""

from __future__ import annotations

import importlib
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bsd_engine.compute.torchvision_compat import import_torchvision
from tests.nightly import jail

MOST_SECONDS, MOST_WAIT, MOST_BYTES = 2.0, 20.0, 1_000_000_000
ENDS = (0, 2, 130)
BEGINNINGS = (
    ("bsd_engine.training.trainer", "BSDTrainer.run"),
    ("bsd_engine.training.undefended", "_train"),
    ("bsd_engine.training.estimate", "measure_parts"),
    ("bsd_engine.bench.suite", "measure"),
    ("bsd_engine.runs.map_process", "umap_map"),
    ("bsd_engine.attacks.craft.surrogate", "trained"),
)
"""Functions in which the long computations begin."""
LOADED = (
    "app.command",
    "app.figure_file",
    "app.replay.__main__",
    "bsd_engine.audit.export.commands",
    "bsd_engine.runs.record",
    "pyarrow.parquet",
    "torch._dynamo",  # by the first optimiser, which takes seconds
)
"""Modules that are loaded once, before the first line."""
ACCEPTED = "the options were accepted; this test goes no further"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a command line ended."""

    status: int
    """Exit status, or the negative number of a signal."""
    printed: str
    error: str
    seconds: float
    """That it computed."""
    waited: float
    bytes: int


def lay_out(folder: Path) -> None:
    """Make the files that the command lines name."""
    from tests.support.fake_run import CONFIG, fake_run

    rng = np.random.default_rng(0)
    labels = np.arange(120) % 4
    images = rng.integers(0, 256, (120, 12, 12), np.uint8)
    np.savez(folder / "set.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    for part in ("train", "test"):
        for i in range(40):
            path = folder / "images" / part / os.fsdecode((b"ant", b"b\xff")[i % 2]) / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[i]).save(path, "PNG")
    Image.fromarray(images[0]).save(folder / "picture.png")
    fake_run(
        folder,
        epochs=16,
        samples=60,
        run_id="own",
        config=CONFIG.with_settings(data=f"npz:{folder}/set.npz", width=8, iterations=4),
    )
    shutil.copytree(folder / "own", folder / "foreign")
    (folder / "thesis.txt").write_text("mine")
    (folder / "ours.csv").write_text("rank,sample,epochs_decided,altruistic_prediction\n")
    for name, target in (("link", "thesis.txt"), ("dangling", "nowhere"), ("loop", "loop")):
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe")


def contents(folder: Path) -> dict[str, object]:
    """What every path in a folder holds."""
    found: dict[str, object] = {}
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(parent) / name
            if path.is_symlink():
                found[str(path)] = os.readlink(path)
            elif path.is_file():
                found[str(path)] = path.read_bytes()
            else:
                found[str(path)] = None
    return found


def stop_where_work_begins() -> None:
    """Let the long computations raise an error of the project in place of beginning."""
    from bsd_engine.errors import ConfigError

    def accepted(*_: object, **__: object) -> None:
        raise ConfigError(ACCEPTED)

    for module, name in BEGINNINGS:
        place: Any = importlib.import_module(module)
        *owners, last = name.split(".")
        for owner in owners:
            place = getattr(place, owner)
        setattr(place, last, accepted)


def run(command: str, words: list[str], surroundings: str, folder: Path) -> Outcome:
    """Run one command line in a child process."""
    out, err = folder.parent / "out", folder.parent / "err"
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        _run_here(command, words, surroundings, folder, out, err)
    status, usage = _waited(child)
    return Outcome(
        status=os.waitstatus_to_exitcode(status),
        printed=out.read_bytes().decode(errors="replace"),
        error=err.read_bytes().decode(errors="replace"),
        seconds=usage.ru_utime + usage.ru_stime,
        waited=time.monotonic() - begin,
        bytes=1024 * usage.ru_maxrss,
    )


def _waited(child: int) -> tuple[int, resource.struct_rusage]:
    end = time.monotonic() + MOST_WAIT
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return status, usage
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.003)


def _run_here(command: str, words: list[str], surroundings: str, folder: Path, out: Path, err: Path) -> None:
    """Become the command; does not return."""
    status = 1
    try:
        for number, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        if surroundings == "closed output":
            reader, writer = os.pipe()
            os.close(reader)
            os.dup2(writer, 1)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
        os.chdir("/mnt" if surroundings == "read-only folder" else folder)
        if surroundings == "no home":
            os.environ.pop("HOME")
        status = _main(command, words)
        sys.stdout.flush()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1 if leaving.code else 0
    except BrokenPipeError:
        status = 2
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _main(command: str, words: list[str]) -> int:
    from app.command import main

    return main([command, *words])


def fault(outcome: Outcome, words: list[str], before: dict[str, object], after: dict[str, object]) -> str | None:
    """What is wrong with how a command line ended; None if nothing is."""
    if "Traceback (most recent call last)" in outcome.error + outcome.printed:
        return "traceback: " + outcome.error.strip().splitlines()[-1][:300]
    if outcome.status not in ENDS:
        return f"exit status {outcome.status}: {outcome.error.strip()[-200:]}"
    if outcome.seconds > MOST_SECONDS or outcome.waited > MOST_WAIT:
        return f"computed for {outcome.seconds:.1f} s and waited for {outcome.waited:.1f} s"
    if outcome.bytes > MOST_BYTES:
        return f"took {outcome.bytes / 1e6:.0f} MB"
    if outcome.status == 2 and not (outcome.error.strip() or outcome.printed.strip()):
        return "exit status 2 without a sentence"
    if harmed := [path for path in before if before[path] != after.get(path) and not _may_change(path, words)]:
        return f"changed {harmed[0]}"
    if outcome.status == 0 and "written: " in outcome.printed and set(before) == set(after) and before == after:
        return "it says that it wrote a file, and there is none"
    return None


def _may_change(path: str, words: list[str]) -> bool:
    """Whether a command line was told to write a file: an own run that is resumed or mapped, or a table of ours."""
    return "/own/" in path or (path.endswith("/ours.csv") and "--overwrite" in words)


def lines(count: int, seed: int) -> Iterator[tuple[str, str, list[str], str]]:
    """Yield the name of each line, its command, its arguments and what is odd about its surroundings."""
    from tests.nightly.odd_words import odd_line

    for i in range(count):
        draw = random.Random(f"surroundings {seed}-{i}")
        odd = draw.choice(("no home", "read-only folder", "closed output")) if draw.random() < 0.15 else ""
        yield f"{seed}-{i}", *odd_line(f"{seed}-{i}"), odd


def attempt(
    folder: Path, fresh: Callable[[], None], line: tuple[str, str, list[str], str]
) -> tuple[Outcome, str | None]:
    """Run one line in a folder that is as it was laid out; returns its outcome and its fault."""
    _, command, words, surroundings = line
    before = contents(folder)
    outcome = run(command, words, surroundings, folder)
    after = contents(folder)
    if before != after:
        fresh()
    return outcome, fault(outcome, words, before, after)


def prepared(scratch: Path) -> tuple[Path, Callable[[], None]]:
    """Import everything, and return the folder of the lines and the function that lays it out anew."""
    for module in LOADED:
        importlib.import_module(module)
    import_torchvision()
    folder = scratch / "a/b/c/work"

    def fresh() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        lay_out(folder)

    stop_where_work_begins()
    fresh()
    return folder, fresh


def main(count: int, seed: int, scratch: Path) -> int:
    """Run all lines; returns the number of those that failed."""
    folder, fresh = prepared(scratch)
    ends, bad, slowest, largest = {end: 0 for end in ENDS}, 0, 0.0, 0
    for line in lines(count, seed):
        outcome, wrong = attempt(folder, fresh, line)
        slowest, largest = max(slowest, outcome.seconds), max(largest, outcome.bytes)
        if wrong is None:
            ends[outcome.status] += 1
        else:
            bad += 1
            print(f"  {line[0]} {line[3]} {ascii(line[1:3])[:300]}: {wrong!a}", flush=True)
    told = ", ".join(f"{number} with status {end}" for end, number in ends.items())
    print(
        f"{count - bad} of {count} command lines ended well: {told}; {slowest:.1f} s and {largest / 1e6:.0f} MB at most"
    )
    return bad


def again(name: str, scratch: Path) -> None:
    """Repeat one line, and show what it printed."""
    seed, number = map(int, name.split("-"))
    line = list(lines(number + 1, seed))[-1]
    outcome, wrong = attempt(*prepared(scratch), line)
    print(ascii(line), outcome.printed, outcome.error, f"{outcome.status}: {wrong or 'well'}", sep="\n")


if __name__ == "__main__":
    place = jail.inside("tests.nightly.command_lines", sys.argv[1:])
    if sys.argv[1:2] == ["again"]:
        sys.exit(again(sys.argv[2], place))
    given = dict(enumerate(map(int, sys.argv[1:])))
    sys.exit(min(1, main(given.get(0, 2000), given.get(1, 0), place)))
