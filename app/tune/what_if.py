"""What-if previews of a recorded run by the engine: the pool under other settings, and the changes; no streamlit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from app.server import run_cache
from app.style import words
from app.tune import texts
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError
from bsd_engine.files.bounded import Stamp
from bsd_engine.method import pool_map as grid
from bsd_engine.method import preview
from bsd_engine.method import worth as trust
from bsd_engine.method.pool_map import PoolMap
from bsd_engine.method.preview import Difference, Settings
from bsd_engine.method.worth import Worth
from bsd_engine.runs.reader import RunReader

GRID = tuple(k / 20 for k in range(21))


@dataclass(frozen=True, kw_only=True)
class Preview:
    """The pool that other settings would have given."""

    settings: Settings
    epoch: int
    """Global: the epoch shown."""
    worth: Worth
    pool: np.ndarray
    """(N,) bool."""
    before: np.ndarray | None
    """(N,) bool: the run's own pool at that epoch; None if it has none yet."""
    difference: Difference | None


def phase(row: run_cache.EpochRow) -> str:
    """The split that the quadrant shows at an epoch: none, only altruistic losses ("alone"), "first" or "later"."""
    return {"altruistic_warmup": "alone", "oss_warmup": "first", "initial_pools": "first"}.get(row.stage, "later")


def effective(config: BSDConfig, row: run_cache.EpochRow, settings: Settings) -> Settings:
    """The settings that apply at an epoch: in the OSS warm-up, T1 is the epoch itself."""
    return replace(settings, t1=row.main_epoch) if row.stage == "oss_warmup" else settings


def within_record(config: BSDConfig, settings: Settings) -> Settings:
    """The nearest settings that the record can answer: no warm-up longer than the run's."""
    own = Settings.of(config)
    return replace(
        settings, t1=min(settings.t1, own.t1), altruistic_epochs=min(settings.altruistic_epochs, own.altruistic_epochs)
    )


def worth(run: RunReader, settings: Settings, row: run_cache.EpochRow) -> Worth:
    """How far a preview at an epoch can be trusted."""
    history = run_cache.rows(run.path)
    learned = settings.altruistic_epochs
    target_then = (
        history[learned - 1].pseudo_target
        if 0 < learned <= min(len(history), run.config.schedule.altruistic_epochs)
        else None
    )
    return trust.worth(run.config, settings, row, target_then=target_then)


def preview_at(run: RunReader, settings: Settings, epoch: int, is_poison: np.ndarray | None) -> Preview | None:
    """The pool at an epoch under other settings; None in the altruistic warm-up, or if the scores are not recorded.

    Parameters
    ----------
    is_poison : (N,) bool, the ground truth if it is known and shown
    """
    config, history = run.config, run_cache.rows(run.path)
    row = history[epoch]
    kind = phase(row)
    if kind == "alone":
        return None
    settings = effective(config, row, settings)
    pool = _later(run, settings, epoch) if kind == "later" else _first(run, settings, len(history))
    if pool is None:
        return None
    before = recorded_pool(run, epoch, kind)
    difference = None if before is None else Difference.between(before, pool, is_poison)
    return Preview(
        settings=settings, epoch=epoch, worth=worth(run, settings, row), pool=pool, before=before, difference=difference
    )


def _later(run: RunReader, settings: Settings, epoch: int) -> np.ndarray:
    return preview.later_pool(run.config, settings, run.labels, run_cache.state(run.path, epoch))


def _first(run: RunReader, settings: Settings, epochs: int) -> np.ndarray | None:
    near = within_record(run.config, settings)
    where = preview.loss_epoch(run.config, near), preview.distance_epoch(run.config, near)
    if max(where) >= epochs:
        return None
    try:
        scores = preview.first_scores(run.config, near, *(run_cache.state(run.path, e) for e in where))
    except BSDError:
        return None
    verdict = run_cache.rows(run.path)[run.config.schedule.altruistic_epochs - 1].verdict
    return preview.first_pool(run.config, near, run.labels, scores, verdict)


def recorded_pool(run: RunReader, epoch: int, kind: str) -> np.ndarray | None:
    """(N,) bool: the run's own pool at the epoch, for the first split that of T = T1; None if it does not exist yet."""
    at = epoch if kind == "later" else preview.distance_epoch(run.config, Settings.of(run.config))
    return run_cache.state(run.path, at).clean_mask if at < len(run_cache.rows(run.path)) else None


def pool_map(run: RunReader, settings: Settings, epoch: int, *, truth_shown: bool) -> tuple[str, PoolMap | None]:
    """The first pool over all alphas and betas at an epoch, and its key; after the initial pools, the map of T1."""
    config, history = run.config, run_cache.rows(run.path)
    row = history[epoch]
    near = within_record(config, effective(config, row, settings) if phase(row) == "first" else Settings.of(config))
    where = preview.loss_epoch(config, near), preview.distance_epoch(config, near)
    if phase(row) == "alone" or max(where) >= len(history):
        return "", None
    key = f"{where[0]},{where[1]},{near.distance},{truth_shown}"
    return key, _pool_map(str(run.path), *run_cache.stamps(run.path, where), where, near, truth_shown)


@lru_cache(maxsize=16)
def _pool_map(
    path: str, loss_stamp: Stamp, distance_stamp: Stamp, where: tuple[int, int], near: Settings, truth_shown: bool
) -> PoolMap | None:
    run = run_cache.reader(Path(path))
    try:
        scores = preview.first_scores(run.config, near, *(run_cache.state(run.path, e) for e in where))
    except BSDError:
        return None
    truth = run.truth.is_poison if truth_shown and run.truth is not None else None
    return grid.pool_map(run.config, run.labels, scores, truth, alphas=GRID, betas=GRID)


def class_rows(run: RunReader, answer: Preview, is_poison: np.ndarray | None) -> list[dict[str, Any]]:
    """Samples by given label: all, in the run's pool, in the preview's, and those that enter and leave."""
    labels, classes = run.labels, len(run.class_names)

    def count(mask: np.ndarray) -> np.ndarray:
        return np.bincount(labels[mask], minlength=classes)

    columns = {texts.SAMPLES: np.bincount(labels, minlength=classes)}
    before, pool = answer.before, answer.pool
    if before is not None:
        columns[texts.RUN_POOL] = count(before)
    columns[texts.PREVIEW_POOL] = count(pool)
    if before is not None:
        columns |= {texts.COMES_IN: count(pool & ~before), texts.GOES_OUT: count(before & ~pool)}
    if is_poison is not None:
        columns[texts.PREVIEW_POISON] = count(pool & is_poison)
    return [
        {texts.CLASS: words.short(name), **{title: int(values[c]) for title, values in columns.items()}}
        for c, name in enumerate(run.class_names)
    ]
