"""Flip one random bit of a run folder, then export from it or resume it: the file is named, or the result is the same.

    python -m tests.nightly.bit_flips [FLIPS] [SEED]      default 500 0; one to two seconds each on two cores

A silent change fails: other exports or another end of the run, without the name of the damaged file in what the
command prints. So does anything but the command's own sentence.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
import re
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bsd_engine.audit.judgements import Judgements
from bsd_engine.cli.main import main as command_line
from bsd_engine.errors import BSDError
from bsd_engine.runs import checkpoints
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run
from tests.support.short_runs import differences, short

TIMES = {"epochs", "checkpoints", "samples.npz", "images.npy", "config.json"}
"""Parts of a folder that are drawn twice as often as the others, because most of a run's results depend on them."""
_WRITTEN_AT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d(?=[+-])")
"""When a report was written, to the minute; other times have seconds."""
Content = dict[str, bytes]


def content_of(path: Path) -> Content:
    """Return the files of a folder by their names in it."""
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def restore(path: Path, whole: Content) -> None:
    """Put back the files of a folder in place, so that the folder stays this installation's own."""
    for file in [p for p in path.rglob("*") if p.is_file() and str(p.relative_to(path)) not in whole]:
        file.unlink()
    for name, content in whole.items():
        if not (path / name).exists() or (path / name).read_bytes() != content:
            (path / name).write_bytes(content)


def flip(path: Path, whole: Content, draw: random.Random) -> str:
    """Flip one bit of one file; returns the file's name."""
    names = [name for name, content in whole.items() if content for _ in range(1 + (name.split("/")[0] in TIMES))]
    name = draw.choice(names)
    changed = bytearray(whole[name])
    changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    with (path / name).open("r+b") as file:
        file.write(changed)
    return name


def printed(*arguments: str) -> str:
    """Run a command; returns what it prints, with the traceback of an error that is not the command's own."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            command_line(list(arguments))
        except Exception:
            return out.getvalue() + traceback.format_exc()
    return out.getvalue()


def exported(path: Path) -> tuple[dict[str, str], str]:
    """Return a digest of each export of a run, empty where it was refused, and what the commands printed."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        texts = [
            printed("suspects", str(path), "--out", str(out / "suspects.csv")),
            printed("report", str(path), "--out", str(out / "report.html")),
            printed("cleaned", str(path), "--out", str(out / "cleaned")),
            printed("cleaned", str(path), "--weights", str(out / "weights.safetensors")),
        ]
        parts = ("suspects.csv", "suspects.clean_index.txt", "report.html", "cleaned", "weights.safetensors")
        return {part: _digest(out / part) for part in parts}, "".join(texts)


def _digest(path: Path) -> str:
    if not path.exists():
        return ""
    content = content_of(path) if path.is_dir() else {path.name: _WRITTEN_AT.sub(b"", path.read_bytes())}
    return hashlib.sha256(repr(sorted(content.items())).encode()).hexdigest()


def after_export(path: Path, reference: dict[str, str]) -> Callable[[str], str]:
    """Return a function that exports from the damaged folder and returns how that ended."""

    def attempt(name: str) -> str:
        found, text = exported(path)
        return _outcome(name, text, same=all(found[part] in ("", digest) for part, digest in reference.items()))

    return attempt


def after_resume(path: Path, reference: Path) -> Callable[[str], str]:
    """Return a function that resumes the damaged run and returns how that ended."""

    def attempt(name: str) -> str:
        text = printed("train", "--resume", str(path))
        if "error: " in text or "Traceback" in text:
            return _outcome(name, text, same=False)
        return _outcome(name, text, same=not _differences(reference, path))

    return attempt


def _differences(a: Path, b: Path) -> list[str]:
    """Return what differs between two finished runs: epochs that can be read, and the last weights."""
    ours, theirs = RunReader(a), RunReader(b)
    newest = [checkpoint_paths(path)[-1] for path in (a, b)]
    weights = [{k: v.tolist() for k, v in checkpoints.read(p)["models"]["averaged"].items()} for p in newest]
    lost = [] if weights[0] == weights[1] and ours.epochs == theirs.epochs else ["the last weights"]
    readable = [e for e in ours.epochs if _reads(theirs, e)]
    return lost + differences([ours.epoch(e) for e in readable], [theirs.epoch(e) for e in readable])


def _reads(run: RunReader, epoch: int) -> bool:
    with contextlib.suppress(BSDError):
        return run.epoch(epoch) is not None
    return False


def _outcome(name: str, text: str, *, same: bool) -> str:
    """Return how a command ended, given the damaged file's name and what was printed."""
    if "Traceback" in text:
        return f"TRACEBACK\n{text}"
    if Path(name).name in text or (name == "origin.json" and "this installation did not write it" in text):
        return "named"
    return "the same" if same else f"CHANGED SILENTLY, printed: {text.strip()[:300]}"


def make_runs(folder: Path) -> tuple[Path, Path, Path]:
    """Return a finished run with judgements, the same run, and one that was stopped two epochs before its end."""
    config = short(limit=400)
    paths = [folder / name for name in ("finished", "reference", "stopped")]
    for path in paths:
        record_run(config, path, on_event=_stop_at(path, 3) if path.name == "stopped" else None)
    judgements = Judgements(paths[0], RunReader(paths[0]).num_samples)
    judgements.give(range(0, 40, 4), "remove", "looks wrong")
    judgements.give([3, 5], "keep")
    judgements.undo()
    return paths[0], paths[1], paths[2]


def _stop_at(path: Path, epoch: int) -> Callable[[object], None]:
    def on_event(event: object) -> None:
        state = getattr(event, "state", None)
        if state is not None and state.epoch == epoch:
            send_command(path, "stop")

    return on_event


def main(flips: int = 500, seed: int = 0) -> int:
    """Print a table of the outcomes; returns the number of flips that failed."""
    with tempfile.TemporaryDirectory(prefix="flipped-") as folder:
        finished, reference, stopped = make_runs(Path(folder))
        digests, text = exported(finished)
        assert all(digests.values()), text
        attempts = {finished: after_export(finished, digests), stopped: after_resume(stopped, reference)}
        whole = {path: content_of(path) for path in attempts}
        ends: Counter[tuple[str, str]] = Counter()
        for i in range(flips):
            draw = random.Random(f"{seed}-{i}")
            path = (finished, stopped)[i % 2]
            name = flip(path, whole[path], draw)
            outcome = attempts[path](name)
            restore(path, whole[path])
            if outcome not in ("named", "the same"):
                print(f"  flip {i} in {path.name}/{name}: {outcome}", flush=True)
            ends[path.name, outcome.split("\n")[0].split(",")[0]] += 1
    for (what, outcome), count in sorted(ends.items()):
        print(f"{what:<10}{outcome:<20}{count:>5}")
    bad = sum(count for (_, outcome), count in ends.items() if outcome not in ("named", "the same"))
    print(f"{flips - bad} of {flips} flipped bits were named or changed nothing")
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(*(int(argument) for argument in sys.argv[1:]))))
