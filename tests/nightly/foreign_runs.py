"""Run folders as a stranger might make them: one file forged, every reader and every page tried.

The forged file gets the digest that its content has, as a stranger would give it, so that nothing but the reader's own
checks stands between the forgery and the page. Targets of `fuzzing`.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from bsd_engine.audit import features
from bsd_engine.audit.explain.flips import what_would_flip
from bsd_engine.audit.explain.reasons import reason
from bsd_engine.audit.export.commands import write_cleaned, write_report, write_suspects, write_weights
from bsd_engine.audit.findings.alarms import alarms
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgements
from bsd_engine.audit.suspects import suspects
from bsd_engine.files.arrays import pack_arrays
from bsd_engine.runs import trigger_bench
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import StoredModels
from tests.nightly.attempts import try_all
from tests.nightly.malformed import ODD_VALUES, damaged, forged_header, odd_array, odd_json, odd_npz
from tests.support.audit_runs import recorded
from tests.support.page.pages import WHOLE_APP
from tests.support.run_edits import replace_file

Attempt = Callable[[random.Random], None]
MOST_SECONDS = 2.0
"""Of one reader; an input passes through all of them."""
PAGES = ("", "run", "tune", "audit", "attacks", "bench", "paper")
"""Addresses of the pages; the first is Learn."""
QUERIES = (
    "PRAGMA user_version = 7",
    "UPDATE change SET sample = {odd}",
    "UPDATE change SET choice = {odd} WHERE id % 2",
    "UPDATE change SET note = {odd}, who = {odd}",
    "UPDATE change SET time = {odd}",
    "UPDATE change SET action = {odd}, undoes = {odd}",
    "UPDATE change SET id = id + 5",
    "DELETE FROM change WHERE id = 2",
    "DROP TABLE change",
    "CREATE TABLE extra (x)",
    "ALTER TABLE change RENAME TO hidden; CREATE VIEW change AS SELECT * FROM hidden",
    "ALTER TABLE change RENAME TO hidden; CREATE VIEW change AS WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL "
    "SELECT id + 1 FROM c) SELECT id, id AS action, 1 AS sample, 'keep' AS choice, '' AS note, '' AS who, 0.0 AS time, "
    "NULL AS undoes FROM c",
    "CREATE TRIGGER t AFTER INSERT ON change BEGIN DELETE FROM change; END",
    "INSERT INTO change (action, sample, choice, note, who, time) VALUES (9, {odd}, {odd}, 'x', 'y', 1.0)",
)
"""Forgeries of the database of judgements."""


def forged_database(content: bytes, draw: random.Random) -> bytes:
    """Return a valid database with odd content."""
    if draw.random() < 0.2:
        return damaged(content, draw)
    db = sqlite3.connect(":memory:")
    db.deserialize(content)
    db.isolation_level = None
    for _ in range(draw.choice((1, 1, 2))):
        odd = draw.choice(("NULL", "-1", "1e400", "'<b>x</b>'", "x'00ff'", "9223372036854775807", "'keep'", "0.5"))
        with contextlib.suppress(sqlite3.Error):
            db.executescript(draw.choice(QUERIES).format(odd=odd))
    return db.serialize()


def forged_checkpoint(content: bytes, draw: random.Random) -> bytes:
    """Return a checkpoint that can be loaded and has one odd value, or damaged bytes."""
    if draw.random() < 0.2:
        return damaged(content, draw)
    values = torch.load(io.BytesIO(content), weights_only=True)
    place: Any = values
    while True:
        key = draw.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if isinstance(place[key], (dict, list)) and len(place[key]) and draw.random() < 0.8:
            place = place[key]
            continue
        place[key] = _odd_value(place[key], draw)
        break
    result = io.BytesIO()
    torch.save(values, result)
    return result.getvalue()


def _odd_value(value: Any, draw: random.Random) -> Any:
    if isinstance(value, torch.Tensor) and draw.random() < 0.6:
        array = odd_array(value.numpy(), draw)
        if array.dtype.kind in "biuf":
            with contextlib.suppress(TypeError, ValueError):
                return torch.from_numpy(np.array(array))
    return draw.choice([odd for odd in ODD_VALUES if odd != "\ud800"])


def _forged(name: str, content: bytes, draw: random.Random) -> bytes:
    """Return the content that a stranger puts into a file of a run folder."""
    if name.endswith(".sqlite"):
        return forged_database(content, draw)
    if name.endswith(".pt"):
        return forged_checkpoint(content, draw)
    if name.endswith(".json"):
        return odd_json(json.loads(content), draw)
    if name.endswith(".npz"):
        return odd_npz(content, draw)
    return forged_header(content, draw) if name.endswith(".npy") else damaged(content, draw)


def make_foreign(folder: Path, run_id: str = "foreign") -> Path:
    """Return a copy of a trained run with judgements and maps: a copy is nobody's own."""
    made = recorded(folder / "made", limit=400)
    Judgements(made, 400).give(range(0, 40, 4), "remove", "looks wrong")
    run = RunReader(made)
    landmarks = len(run.landmark_idx)
    (made / "maps/00003.npz").write_bytes(pack_arrays(xy=np.zeros((landmarks, 2), np.float32)))
    path = folder / "runs" / run_id
    shutil.copytree(made, path)
    return path


@contextlib.contextmanager
def one_file_forged(path: Path, whole: dict[str, bytes], draw: random.Random) -> Iterator[str]:
    """Forge one file of a run folder for the block; yields its name."""
    kinds = {name.split("/")[0] for name in whole}
    kind = draw.choice(sorted(kinds))
    name = draw.choice([name for name in sorted(whole) if name.split("/")[0] == kind])
    replace_file(path, name, _forged(name, whole[name], draw))
    try:
        yield name
    finally:
        for changed in (name, "digests.jsonl"):
            if changed in whole:
                (path / changed).write_bytes(whole[changed])


def read_everything(path: Path, out: Path, draw: random.Random) -> None:
    """Try every reader of a run folder; one that refuses does not keep the others from being tried."""
    run = RunReader(path)
    history = RunHistory.of(run)
    ranking = suspects(history)
    sample, epoch = draw.randrange(history.num_samples), draw.randrange(history.num_epochs)
    readers: list[Callable[[], Any]] = [
        lambda: alarms(history, ranking, run.truth.is_poison if run.truth else None),
        lambda: reason(history, sample, epoch).sentence,
        lambda: what_would_flip(history, sample, epoch),
        lambda: Judgements(path, run.num_samples).standing(),
        lambda: write_suspects(path, out / "suspects.csv"),
        lambda: write_report(path, out / "report.html"),
        lambda: write_cleaned(path, out / "cleaned"),
        lambda: write_weights(path, out / "weights.safetensors"),
        lambda: [StoredModels.of(run, int(file.stem)) for file in checkpoint_paths(path)],
        lambda: features.features(run),
        lambda: trigger_bench.bench_images(run),
        lambda: trigger_bench.own_attack(run),
    ]
    try_all(readers, MOST_SECONDS)


def foreign_run_target(folder: Path) -> Attempt:
    """A stranger's run folder, read by everything that reads run folders."""
    path = make_foreign(folder)
    whole = {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}

    def attempt(draw: random.Random) -> None:
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        with one_file_forged(path, whole, draw):
            read_everything(path, out, draw)

    return attempt


def foreign_page_target(folder: Path) -> Attempt:
    """A stranger's run folder, shown by every page."""
    path = make_foreign(folder)
    whole = {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}

    def attempt(draw: random.Random) -> None:
        with one_file_forged(path, whole, draw):
            show(draw.choice(PAGES), path)

    return attempt


def show(address: str, path: Path) -> None:
    """Draw a page of the dashboard with a run; an exception on the page is raised here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BSD_RUNS", str(path.parent))
        page = AppTest.from_file(str(WHOLE_APP), default_timeout=60)
        page._page_hash = calc_hash(address)
        page.query_params["run"] = path.name
        page.run()
    if page.exception:
        raise RuntimeError("\n".join(f"{e.message}\n{''.join(e.stack_trace)}" for e in page.exception))


TARGETS = {"foreign run": foreign_run_target, "foreign page": foreign_page_target}
