"""Epochs that a stranger has changed with this program's own writer, and everything that the audit reads of a run."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from bsd_engine.audit.explain.flips import what_would_flip
from bsd_engine.audit.explain.reasons import reason
from bsd_engine.audit.export.report import report
from bsd_engine.audit.export.table import csv_text, parquet_bytes, table
from bsd_engine.audit.features import features
from bsd_engine.audit.findings.alarms import alarms
from bsd_engine.audit.findings.cleaning import RULES, clean
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import suspects
from bsd_engine.config.method_settings import STAGES
from bsd_engine.events import EpochState
from bsd_engine.runs.epoch_file import ARRAYS, pack_epoch, unpack_epoch
from bsd_engine.runs.reader import RunReader
from tests.nightly.attempts import try_all
from tests.nightly.malformed import ODD_VALUES, odd_json
from tests.support.fake_run import CONFIG, fake_run

SAMPLES = 60
VALUES = (float("nan"), float("inf"), -float("inf"), 1e38, -1e38, 1e30, 1e9, -1.0, 0.0, 9.0, 10.0, 255.0, 32767.0)
DTYPES = ("<f2", "<f4", ">f4", "<f8", "<g", "i1", "u1", "<i2", ">i2", "<i8", "<u8", "?", "<c8", "U3", "M8[s]", "V4")


def short_run(folder: Path) -> Path:
    """Return a run folder of 60 samples with two or more epochs of every stage."""
    config = CONFIG.with_settings(altruistic_epochs=2, t1=2, init_epochs=2, t2=6, t3=8)
    return fake_run(folder, epochs=10, samples=SAMPLES, run_id="run", config=config)


def audit_target(folder: Path) -> Callable[[random.Random], None]:
    """Return a function that changes a run's epoch or settings and audits it."""
    path = short_run(folder)
    (path / "digests.jsonl").unlink(missing_ok=True)  # a stranger would write those that fit
    settings = json.loads((path / "config.json").read_text()) | {"format_version": 3}
    (path / "config.json").write_text(json.dumps(settings))
    names = sorted(str(p.relative_to(path)) for p in path.glob("epochs/*.npz"))
    whole = {name: (path / name).read_bytes() for name in (*names, "config.json")}

    def attempt(draw: random.Random) -> None:
        name = "config.json" if draw.random() < 0.1 else draw.choice((names[-1], draw.choice(names)))
        try:
            if name == "config.json":
                (path / name).write_bytes(odd_json(settings, draw))
            else:
                (path / name).write_bytes(pack_epoch(odd_epoch(unpack_epoch(whole[name]), draw)))
            audit_all(path, draw)
        finally:
            (path / name).write_bytes(whole[name])

    return attempt


def odd_epoch(state: EpochState, draw: random.Random) -> EpochState:
    """Return an epoch with one or two fields missing, present where they should not be, or of other content."""
    for _ in range(draw.choice((1, 1, 2))):
        name = draw.choice([f.name for f in fields(EpochState)])
        state = replace(
            state, **{name: _odd_array(getattr(state, name), draw) if name in ARRAYS else _odd_scalar(draw)}
        )
    return state


def _odd_scalar(draw: random.Random) -> Any:
    verdict = {"kind": "several", "classes": [draw.choice((-1, 3, 99))], "z": 1.0, "needed": 2.0, "why": "w"}
    own = (*STAGES, -1, 99, 2, 0.5, verdict, {"clean_accuracy": 1e300, "clean_pool_size": -5}, {"seconds": "x"})
    while True:
        value = draw.choice((*ODD_VALUES, *own))
        try:
            json.dumps(value)
        except ValueError:  # numbers of 400 digits
            continue
        return value


def _odd_array(array: np.ndarray | None, draw: random.Random) -> np.ndarray | None:
    if array is None or draw.random() < 0.15:
        shape = draw.choice(((SAMPLES,), (10,), (3, SAMPLES), (), (0,)))
        return None if draw.random() < 0.5 else np.full(shape, draw.choice((1, 2)), draw.choice(DTYPES[:11]))
    kind = draw.randrange(4)
    if kind == 0:
        with np.errstate(all="ignore"):
            return array.astype(draw.choice(DTYPES[:14]))
    if kind == 1:
        other = np.atleast_1d(array)
        return draw.choice((other[:-1], array[None], other[:0], other.ravel()[:1], np.concatenate([other, other])))
    if not array.size:
        return array
    changed = np.array(array)
    some = changed.ravel() if kind == 2 else changed.ravel()[draw.randrange(array.size) :][:1]
    with np.errstate(all="ignore"):
        some[:] = np.array(draw.choice(VALUES)).astype(array.dtype)
    return changed


def audit_all(path: Path, draw: random.Random) -> None:
    """Read all that the audit says about a run; raises the first of the project's own errors at the end."""
    run = RunReader(path)
    history = RunHistory.of(run)
    ranking = suspects(history)
    samples = [draw.randrange(history.num_samples) for _ in range(3)]
    epochs = range(history.num_epochs)
    columns: list[dict[str, list[Any]]] = []
    wanted: list[Callable[[], Any]] = [
        lambda: alarms(history, ranking),
        lambda: alarms(history, ranking, run.truth.is_poison if run.truth else None),
        lambda: report(run, shown=5, history=history, with_truth=draw.random() < 0.5),
        lambda: columns.append(table(history, ranking, {}, run.files)),
        lambda: [f(c) for c in columns for f in (csv_text, parquet_bytes)],
        lambda: [clean(history, ranking, {}, rule) for rule in RULES],
        lambda: [reason(history, s, e).sentence for s in samples for e in epochs],
        lambda: [what_would_flip(history, s, draw.choice(epochs)) for s in samples],
        lambda: features(run),
    ]
    try_all(wanted)
