"""The numbers that the tour quotes, measured on a recording; no streamlit, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from app.server import run_cache
from app.server.run_cache import EpochRow
from bsd_engine.files.bounded import Stamp
from bsd_engine.method.first_scores import FirstScores
from bsd_engine.method.pool_map import pool_map
from bsd_engine.runs.reader import RunReader

SHOWN = 24
"""Images of the second step."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Global epochs that the steps show, none beyond the last recorded one."""

    learned: int
    """The last of the altruistic warm-up."""
    first_pool: int
    """T = T1."""
    growing: int
    """The first of class completion."""
    grown: int
    """The last before T2."""
    last: int


@dataclass(frozen=True, kw_only=True)
class Sides:
    """A score of the poisoned and of the clean samples, compared."""

    poison: float
    """Median."""
    clean: float
    """Median."""
    smaller: float
    """Share of all pairs of a poisoned and a clean sample in which the poisoned one scores lower; ties count half."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Number of samples in a pool, and of poisoned ones among them."""

    size: int
    poison: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Numbers:
    """All the numbers; None for those that the run does not have."""

    marks: Marks
    epochs: int
    samples: int
    poison: int | None
    """Poisoned samples; None if the ground truth is unknown."""
    attack: str
    attacked: int | None
    """The class with which the poison is labelled; None without poison, or with several classes."""
    suspected: int | None
    plain: tuple[float | None, float | None]
    """Clean accuracy and attack success, percent, of the altruistic model after its warm-up on everything."""
    final: tuple[float | None, float | None]
    """The same of the main model in the last epoch."""
    labelled: np.ndarray
    """(<= 24,) ids of samples of the suspected class, with poison in the same proportion."""
    poisoned: np.ndarray
    """(<= 12,) ids of poisoned samples from various classes."""
    loss: Sides | None
    distance: Sides | None
    near_own: float | None
    """Share of the poison in the suspected class whose nearest other class is the one that it shows."""
    als: Pool | None
    oss: Pool | None
    first: Pool | None
    """What the run keeps of both cuts."""
    growing: Pool | None
    grown: Pool | None
    last: Pool | None
    most_poison: int | None
    """The most poison that any pool of the run held."""
    smallest: tuple[int, int] | None
    """The class with the fewest samples in the last pool, and how many."""


def numbers(run: RunReader) -> Numbers:
    """The numbers of a run, as far as it is recorded; at least one epoch is."""
    history = run_cache.rows(run.path)
    marks = _marks(run, len(history))
    wanted = (marks.learned, marks.first_pool, marks.last)
    return _numbers(str(run.path), len(history), run_cache.stamps(run.path, wanted))


def _marks(run: RunReader, epochs: int) -> Marks:
    s = run.config.schedule
    main = s.altruistic_epochs
    wanted = {
        "learned": main - 1,
        "first_pool": main + s.t1,
        "growing": main + s.t1 + s.init_epochs,
        "grown": main + s.t2 - 1,
        "last": epochs - 1,
    }
    return Marks(**{name: max(0, min(epochs - 1, at)) for name, at in wanted.items()})


@lru_cache(maxsize=16)
def _numbers(path: str, epochs: int, stamps: tuple[Stamp, ...]) -> Numbers:
    run = run_cache.reader(Path(path))
    history, marks = run_cache.rows(run.path)[:epochs], _marks(run, epochs)
    truth = run.truth
    poison = None if truth is None else truth.is_poison
    attacked = _attacked(run, poison)
    suspected = history[-1].pseudo_target
    focus = suspected if suspected is not None else attacked
    learned = history[marks.learned].metrics
    first = history[marks.first_pool].main_epoch == run.config.schedule.t1
    als, oss = _cuts(run, marks.first_pool, poison) if first else (None, None)
    at_first = run_cache.state(run.path, marks.first_pool)
    return Numbers(
        marks=marks,
        epochs=epochs,
        samples=run.num_samples,
        poison=None if poison is None else int(poison.sum()),
        attack=run.config.attack.attack,
        attacked=attacked,
        suspected=suspected,
        plain=(learned.get("altruistic_clean_accuracy"), learned.get("altruistic_attack_success_rate")),
        final=(history[-1].metrics.get("clean_accuracy"), history[-1].metrics.get("attack_success_rate")),
        labelled=_labelled(run.labels, focus, poison),
        poisoned=_various(run, poison),
        loss=None if poison is None else sides(run_cache.state(run.path, marks.learned).altruistic_loss, poison),
        distance=_of_class(at_first.oss_score if first else None, run.labels, suspected, poison),
        near_own=_near_own(run, at_first.nearest_class if first else None, suspected),
        als=als,
        oss=oss,
        first=_pool(history[marks.first_pool]) if first else None,
        growing=_growing_pool(history[marks.growing]),
        grown=_growing_pool(history[marks.grown]),
        last=_pool(history[marks.last]) if history[marks.last].main_epoch >= run.config.schedule.t1 else None,
        most_poison=_most_poison(history, run.config.schedule.t1),
        smallest=_smallest(run, marks.last),
    )


def _attacked(run: RunReader, poison: np.ndarray | None) -> int | None:
    """The label of the poison; None without poison, or with several labels."""
    if poison is None or not poison.any():
        return None
    attacked = np.unique(run.labels[poison])
    return int(attacked[0]) if len(attacked) == 1 else None


def sides(scores: np.ndarray, poison: np.ndarray) -> Sides | None:
    """A score of both kinds, compared by ranks; None if there is only one kind, or a score is not finite."""
    bad, good = scores[poison], scores[~poison]
    if not len(bad) or not len(good) or not np.isfinite(scores).all():
        return None
    ordered = np.sort(good)
    above = len(good) - (np.searchsorted(ordered, bad, "left") + np.searchsorted(ordered, bad, "right")) / 2
    return Sides(poison=float(np.median(bad)), clean=float(np.median(good)), smaller=float(above.mean() / len(good)))


def _of_class(
    scores: np.ndarray | None, labels: np.ndarray, target: int | None, poison: np.ndarray | None
) -> Sides | None:
    if scores is None or poison is None or target is None:
        return None
    chosen = labels == target
    return sides(scores[chosen], poison[chosen])


def _near_own(run: RunReader, nearest: np.ndarray | None, target: int | None) -> float | None:
    truth = run.truth
    if nearest is None or truth is None or target is None:
        return None
    bad = truth.is_poison & (run.labels == target) & (truth.original_labels != target)
    return float((nearest[bad] == truth.original_labels[bad]).mean()) if bad.any() else None


def _cuts(run: RunReader, epoch: int, poison: np.ndarray | None) -> tuple[Pool | None, Pool | None]:
    """What ALS alone and OSS alone keep at T1."""
    state, split = run_cache.state(run.path, epoch), run.config.split
    if state.oss_score is None or state.pseudo_target is None:
        return None, None
    warmup = run.config.schedule.altruistic_epochs - 1
    losses = (state if split.als_snapshot == "current" else run_cache.state(run.path, warmup)).altruistic_loss
    scores = FirstScores(losses=losses, oss=state.oss_score, target=state.pseudo_target)
    als, oss = (_kept_alone(run, scores, poison, view) for view in ("als_only", "oss_only"))
    return als, oss


def _kept_alone(run: RunReader, scores: FirstScores, poison: np.ndarray | None, view: str) -> Pool:
    """The first pool by one of the two views alone."""
    split = run.config.split
    config = run.config.with_settings(init_combine=view)
    grid = pool_map(config, run.labels, scores, poison, alphas=(split.als_ratio,), betas=(split.beta,))
    return Pool(size=int(grid.size[0, 0]), poison=None if grid.poison is None else int(grid.poison[0, 0]))


def _pool(row: EpochRow) -> Pool | None:
    size, poison = row.metrics.get("clean_pool_size"), row.metrics.get("poison_in_clean_pool")
    return None if size is None else Pool(size=int(size), poison=None if poison is None else int(poison))


def _growing_pool(row: EpochRow) -> Pool | None:
    """The pool of an epoch in which the pool is chosen anew; None for an earlier epoch."""
    return _pool(row) if row.stage in ("class_completion", "selective_drop") else None


def _most_poison(history: tuple[EpochRow, ...], t1: int) -> int | None:
    """The most poison in any pool from T = T1 on."""
    counts = [row.metrics.get("poison_in_clean_pool") for row in history if row.main_epoch >= t1]
    return max((number for number in counts if number is not None), default=None)


def _smallest(run: RunReader, epoch: int) -> tuple[int, int] | None:
    mask = run_cache.state(run.path, epoch).clean_mask
    if mask is None:
        return None
    counts = np.bincount(run.labels[mask], minlength=len(run.class_names))
    return int(counts.argmin()), int(counts.min())


def _labelled(labels: np.ndarray, target: int | None, poison: np.ndarray | None) -> np.ndarray:
    """Samples of a class, or of all classes, in an order that reveals nothing, with poison in the same proportion."""
    ids = np.arange(len(labels)) if target is None else np.flatnonzero(labels == target)
    ids = np.random.default_rng(0).permutation(ids)
    if poison is None or len(ids) <= SHOWN:
        return np.sort(ids[:SHOWN])
    bad, good = ids[poison[ids]], ids[~poison[ids]]
    many = min(len(bad), round(SHOWN * len(bad) / len(ids)))
    return np.sort(np.concatenate([bad[:many], good[: SHOWN - many]]))


def _various(run: RunReader, poison: np.ndarray | None, most: int = 12) -> np.ndarray:
    """Poisoned samples from one original class after another; without poison, any samples in this way."""
    truth = run.truth
    ids = np.flatnonzero(poison) if poison is not None and poison.any() else np.arange(run.num_samples)
    classes = run.labels if truth is None else truth.original_labels
    ids = np.random.default_rng(1).permutation(ids)
    order = np.argsort(
        [np.count_nonzero(classes[ids[:k]] == classes[i]) for k, i in enumerate(ids[:600])], kind="stable"
    )
    return np.sort(ids[:600][order[:most]])
