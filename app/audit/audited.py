"""What the page Audit reads of a run: history, ranking and verdicts, kept while the folder does not change; and the rows of its table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from app.figures.pixels import data_uri, thumbnail
from app.server import run_cache
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgement, Judgements
from bsd_engine.audit.suspects import Suspects, suspects
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import StoredModels

PICTURED = 500
"""Rows of the table that have a picture, from the top of the current order: each costs 0.1 ms and a kilobyte."""
SORTS = {
    "most suspect": "rank",
    "closest to the cut": "margin",
    "smallest altruistic loss": "altruistic_loss",
    "largest main loss": "main_loss",
    "fewest epochs in the pool": "epochs_in_pool",
    "sample number": "sample",
}
FLAGS = {"ALS": "als_flag", "OSS": "oss_flag", "discrepancy": "discrepancy_flag", "drop": "drop_flag"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Audited:
    """A run as far as it is recorded."""

    run: RunReader
    history: RunHistory
    found: Suspects

    @property
    def verdicts(self) -> Judgements:
        """Its verdicts, opened anew for each use."""
        return Judgements(self.run.path, self.run.num_samples)

    def standing(self) -> dict[int, Judgement]:
        """The verdicts that stand now."""
        return self.verdicts.standing()

    def picture(self, sample: int) -> np.ndarray:
        """(H, W, C) uint8."""
        return np.ascontiguousarray(self.run.images[sample].transpose(1, 2, 0))


def audited(path: Path) -> Audited:
    """The audit of a run folder as it is now; raises `RunFolderError` before its first epoch."""
    return _audited(str(path), run_cache.reader(path).version[::2])


@lru_cache(maxsize=3)
def _audited(path: str, version: tuple) -> Audited:
    run = run_cache.reader(Path(path))
    history = RunHistory.of(run)
    return Audited(run=run, history=history, found=suspects(history))


@lru_cache(maxsize=3)
def models_of(path: str, version: int) -> StoredModels:
    """Both models of the newest checkpoint."""
    return StoredModels.of(run_cache.reader(Path(path)))


@lru_cache(maxsize=4096)
def picture_address(path: str, sample: int) -> str:
    """A small picture of a sample as an address."""
    return data_uri(thumbnail(np.ascontiguousarray(run_cache.reader(Path(path)).images[sample].transpose(1, 2, 0))))


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which rows the table has, and in what order."""

    label: int | None = None
    flags: tuple[str, ...] = ()
    """Names in `FLAGS`; a sample needs all of them."""
    pool: str = "all"
    """all, in the pool, or kept out."""
    verdict: str = "any"
    """any, none, keep, remove or unsure."""
    only: tuple[int, ...] | None = None
    """These samples alone."""
    sort: str = "most suspect"


def rows(audit: Audited, wanted: Filter, verdicts: dict[int, Judgement]) -> np.ndarray:
    """(n,) int64: samples of the table, in its order."""
    history, found = audit.history, audit.found
    mask = np.ones(history.num_samples, bool)
    if wanted.only is not None:
        mask[:] = False
        mask[list(wanted.only)] = True
    if wanted.label is not None:
        mask &= history.labels == wanted.label
    for name in wanted.flags:
        mask &= getattr(found, FLAGS[name])
    if wanted.pool != "all":
        mask &= found.in_pool == (wanted.pool == "in the pool")
    if wanted.verdict != "any":
        judged = np.zeros(history.num_samples, bool)
        judged[[s for s, v in verdicts.items() if wanted.verdict in ("none", v.choice)]] = True
        mask &= judged != (wanted.verdict == "none")
    samples = np.flatnonzero(mask)
    return samples[np.argsort(_key(audit, wanted.sort)[samples], kind="stable")]


def _key(audit: Audited, sort: str) -> np.ndarray:
    """(N,) what rises along the table."""
    history, found = audit.history, audit.found
    last = history.main_loss[-1] if len(history.main_loss) else np.zeros(history.num_samples, np.float32)
    return {
        "rank": found.rank,
        "margin": np.abs(found.margin),
        "altruistic_loss": history.altruistic_loss[-1],
        "main_loss": -last,
        "epochs_in_pool": found.epochs_in_pool,
        "sample": np.arange(history.num_samples),
    }[SORTS[sort]]


@lru_cache(maxsize=4)
def shown(audit: Audited, wanted: Filter, version: int) -> tuple[np.ndarray, pa.Table]:
    """The samples of the table and its rows; `version` is that of the verdicts."""
    verdicts = audit.standing()
    samples = rows(audit, wanted, verdicts)
    return samples, as_table(audit, samples, verdicts)


def as_table(audit: Audited, samples: np.ndarray, verdicts: dict[int, Judgement]) -> pa.Table:
    """The rows as Arrow, which Streamlit sends as it is; the first `PICTURED` have a picture. 60 ms for 50,000."""
    history, found, path = audit.history, audit.found, str(audit.run.path)
    names = np.array(
        [history.name(c) for c in range(max(len(history.class_names), int(history.labels.max()) + 1))], object
    )
    flags = np.full(len(samples), "", object)
    for name, field in FLAGS.items():
        on = getattr(found, field)[samples]
        flags[on] = [f"{old} {name}".strip() for old in flags[on]]
    pictures = [picture_address(path, int(s)) for s in samples[:PICTURED]] + [None] * max(0, len(samples) - PICTURED)
    columns = {
        "rank": found.rank[samples].astype(np.int32),
        "": pictures,
        "sample": samples.astype(np.int32),
        "label": pa.array(names[history.labels[samples]].tolist(), pa.string()),
        "score": found.score[samples],
        "flags": pa.array(flags.tolist(), pa.string()),
        "margin": found.margin[samples],
        "pool": found.epochs_in_pool[samples].astype(np.int32),
        "altruistic loss": history.altruistic_loss[-1][samples],
        "verdict": pa.array([verdicts[s].choice if s in verdicts else "" for s in samples.tolist()], pa.string()),
    }
    if len(history.main_loss):
        columns["main loss"] = history.main_loss[-1][samples]
    columns[""] = pa.array(columns[""], pa.string())
    return pa.table(
        {name: values if isinstance(values, pa.Array) else pa.array(values) for name, values in columns.items()}
    )
