"""Flip single bits in the files of a run folder, and read everything that exports and resumed runs read.

    python -m tests.nightly.bit_flips [FLIPS] [SEED]      default 500 0; about ten minutes on two cores

A flip may be refused with a sentence, or change nothing that is read. Another result without a word is a failure.
"""

from __future__ import annotations

import hashlib
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bsd_engine.audit.export.commands import write_suspects
from bsd_engine.errors import BSDError
from bsd_engine.runs import checkpoints
from bsd_engine.runs.origin.provenance import is_own
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import load_checkpoint, record_run
from bsd_engine.runs.writer import write_map
from tests.support.short_runs import short


def make_run(folder: Path) -> Path:
    """Train a run through every stage; returns its folder, with a map."""
    path = folder / "run"
    record_run(short(limit=200), path)
    write_map(path, 3, np.ones((len(RunReader(path).landmark_idx), 2), np.float32))
    return path


def results(path: Path, out: Path) -> dict[str, str]:
    """Return a digest of each thing that can be read from or made of a run, or the sentence that it ends with."""

    def suspects() -> bytes:
        write_suspects(path, out / "s.csv")
        return (out / "s.csv").read_bytes() + (out / "s.clean_index.txt").read_bytes()

    def of_run(read: Callable[[RunReader], Any]) -> Callable[[], Any]:
        return lambda: read(RunReader(path))

    wanted: dict[str, Callable[[], Any]] = {
        "settings": of_run(lambda run: (run.config, run.class_names, run.fingerprint, run.created, run.num_samples)),
        "arrays": of_run(lambda run: [x.tobytes() for x in (run.labels, run.landmark_idx, run.images)]),
        "truth": of_run(lambda run: run.truth and (run.truth.is_poison.tobytes(), run.truth.original_labels.tobytes())),
        "summary": of_run(lambda run: run.summary),
        "resumed from": lambda: checkpoints.pack(load_checkpoint(path)),
        "signature": lambda: is_own(path),
        "suspects": suspects,
        **{f"epoch {e}": of_run(lambda run, e=e: _told(run.epoch(e))) for e in range(6)},
        **{f"checkpoint {e}": lambda e=e: checkpoints.pack(load_checkpoint(path, e)) for e in range(6)},
        "map": of_run(lambda run: run.map(3).tobytes()),
    }
    return {name: _result(read) for name, read in wanted.items()}


def _told(state: Any) -> list[Any]:
    values = [getattr(state, name) for name in state.__dataclass_fields__]
    return [value.tobytes() if isinstance(value, np.ndarray) else value for value in values]


def _result(read: Callable[[], Any]) -> str:
    try:
        return hashlib.sha256(repr(read()).encode()).hexdigest()
    except BSDError as error:
        return f"refused: {error}"


def silent_changes(path: Path, out: Path, sound: dict[str, str], name: str, bit: int) -> tuple[list[str], bool]:
    """Flip a bit; return the results that changed without a sentence that tells of damage, and whether one did."""
    file = path / name
    whole = file.read_bytes()
    content = bytearray(whole)
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)
    try:
        found = results(path, out)
        told = any(result.startswith("refused") for result in found.values()) or RunReader(path).damaged_checkpoints()
    except BSDError:
        told = True
    finally:
        file.write_bytes(whole)
    # What follows from a refusal is told: another checkpoint is taken, a folder counts as somebody else's.
    quiet = [n for n, result in found.items() if result != sound[n] and not result.startswith("refused")]
    allowed = {"resumed from"} if name.startswith("checkpoints/") and told else set()
    allowed |= {"signature"} if name in ("origin.json", "config.json") else set()
    return [n for n in quiet if n not in allowed], bool(told)


def main(flips: int = 500, seed: int = 0) -> int:
    """Run with that many flips; returns the number of silent changes."""
    draw, wrong, named = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory() as place:
        path, out = make_run(Path(place)), Path(place) / "out"
        out.mkdir()
        sound = results(path, out)
        files = [str(p.relative_to(path)) for p in sorted(path.rglob("*")) if p.is_file() and p.stat().st_size]
        for _ in range(flips):
            name = draw.choice(files)
            bit = draw.randrange(8 * (path / name).stat().st_size)
            changed, told = silent_changes(path, out, sound, name, bit)
            named += told
            if changed:
                wrong += 1
                print(f"bit {bit} of {name} changes {', '.join(changed)} without a word", flush=True)
    print(f"{flips} flips in {len(files)} files: {named} named, {flips - named - wrong} without effect, {wrong} silent")
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
