"""What a recorded run's splits would have been under other settings; pure functions over `EpochState`s.

Nothing that the first split reads depends on alpha or beta: g trains on everything, f warms up on the non-target
samples. So the record of T = t is what a run with T1 = t and the same T2 and T3 would have seen, and every alpha, beta,
T1 and distance is answered exactly. Later pools depend on how f was trained; there one epoch's split can be redone.
The formulas are those of `decisions`, which the trainer calls; it and torch are loaded when a split is redone, not when a page
only names settings.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import DataError
from bsd_engine.events import EpochState
from bsd_engine.shares import DISTANCES, Distance, exact_count

Honesty = Literal["recorded", "exact", "one step", "needs a run"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that a preview changes."""

    alpha: float
    beta: float
    t1: int
    """Main epochs of the OSS warm-up; T2 and T3 stay where they are."""
    altruistic_epochs: int
    distance: Distance

    @classmethod
    def of(cls, config: BSDConfig) -> Settings:
        """Those of a run."""
        return cls(
            alpha=config.split.alpha,
            beta=config.split.beta,
            t1=config.schedule.t1,
            altruistic_epochs=config.schedule.altruistic_epochs,
            distance=config.split.oss_distance,
        )

    def applied_to(self, config: BSDConfig) -> BSDConfig:
        """A configuration with these; raises `ConfigError` where they do not fit, as alpha below beta."""
        return config.with_settings(
            alpha=self.alpha,
            beta=self.beta,
            t1=self.t1,
            altruistic_epochs=self.altruistic_epochs,
            oss_distance=self.distance,
        )


@dataclass(frozen=True, kw_only=True)
class FirstScores:
    """What the first split reads."""

    losses: np.ndarray
    """(N,) float32, nats: altruistic losses."""
    oss: np.ndarray
    """(N,) float32: OSS scores."""
    target: int | None
    """The suspected one; None with all-to-all."""


def loss_epoch(config: BSDConfig, settings: Settings) -> int:
    """Global epoch whose record holds the altruistic losses of the first split, g having learned for as many epochs.

    A record of the altruistic warm-up is of the time after its epoch, one of a main epoch of the time before it.
    """
    learned = settings.altruistic_epochs + (settings.t1 if config.split.als_snapshot == "current" else 0)
    return learned - 1 if learned <= config.schedule.altruistic_epochs else learned


def distance_epoch(config: BSDConfig, settings: Settings) -> int:
    """Global epoch whose record holds the OSS scores of the first split: T = T1."""
    return config.schedule.altruistic_epochs + settings.t1


def first_scores(config: BSDConfig, settings: Settings, losses_of: EpochState, distances_of: EpochState) -> FirstScores:
    """What the first split under other settings reads, from the records of `loss_epoch` and `distance_epoch`.

    Raises `DataError` where the record has no such distance.
    """
    oss = distances_of.oss_score
    if distances_of.oss_distances is not None:
        oss = distances_of.oss_distances[DISTANCES.index(settings.distance)]
    elif settings.distance != config.split.oss_distance:
        oss = None
    if oss is None:
        raise DataError(
            f"Epoch {distances_of.epoch} has no {settings.distance} distance recorded, expected one for T = 0 ... T1; "
            "choose an epoch of the OSS warm-up, or record the run anew."
        )
    return FirstScores(losses=losses_of.altruistic_loss, oss=oss, target=distances_of.pseudo_target)


def first_pool(config: BSDConfig, settings: Settings, labels: np.ndarray, scores: FirstScores) -> np.ndarray:
    """(N,) bool: the first clean pool. Paper: Eq. 3. Unlike a run, a preview may have alpha below beta."""
    from bsd_engine.method.decisions import initial_pool

    return initial_pool(_loosely(config, settings), labels, scores.target, scores.losses, scores.oss)


def later_pool(config: BSDConfig, settings: Settings, labels: np.ndarray, state: EpochState) -> np.ndarray:
    """(N,) bool: the pool of one epoch after the initial ones, on the models as they were. Paper: Eq. 8-11."""
    if state.main_loss is None or state.main_prediction is None:
        raise DataError(
            f"Epoch {state.epoch} has no main loss recorded, expected one of the main training; choose a later epoch."
        )
    from bsd_engine.method.decisions import discrepancy_pool

    return discrepancy_pool(
        _loosely(config, settings),
        state.main_epoch,
        labels,
        state.pseudo_target,
        (state.main_loss, state.altruistic_loss),
        (state.main_prediction, state.altruistic_prediction),
    )


def _loosely(config: BSDConfig, settings: Settings) -> BSDConfig:
    """A configuration with alpha and beta unchecked: which of them is larger is a rule for runs."""
    split, loose = copy.copy(config.split), copy.copy(config)
    for name, value in (("alpha", settings.alpha), ("beta", settings.beta), ("oss_distance", settings.distance)):
        object.__setattr__(split, name, value)
    object.__setattr__(loose, "split", split)  # `replace` would check everything again, which takes 11 ms
    return loose


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a preview changes: samples that come in and that go out, and the poison among them where it is known."""

    gained: int
    lost: int
    gained_poison: int | None
    lost_poison: int | None

    @classmethod
    def between(cls, before: np.ndarray, after: np.ndarray, is_poison: np.ndarray | None = None) -> Difference:
        """From two pools, (N,) bool each."""
        gained, lost = after & ~before, before & ~after
        poison = [None if is_poison is None else int((mask & is_poison).sum()) for mask in (gained, lost)]
        return cls(gained=int(gained.sum()), lost=int(lost.sum()), gained_poison=poison[0], lost_poison=poison[1])


# -- ranks and the map over alpha and beta ---------------------------------------------------------


def descending_order(scores: np.ndarray) -> np.ndarray:
    """(N,) int64: samples by descending score, equal ones by index, as `splits` ranks them; scores are no NaN.

    float32 scores are sorted as integers with the index below: 0.7 ms for 50,000, where a stable argsort takes 6.
    """
    if scores.dtype != np.float32 or len(scores) >= 2**32:
        return np.argsort(-scores, kind="stable")
    bits = (scores + np.float32(0)).view(np.uint32).astype(np.uint64)  # + 0 makes -0 and 0 equal
    ascending = np.where(bits >> np.uint64(31), np.uint64(0xFFFFFFFF) - bits, bits + np.uint64(0x80000000))
    keys = ((np.uint64(0xFFFFFFFF) - ascending) << np.uint64(32)) | np.arange(len(scores), dtype=np.uint64)
    return (np.sort(keys) & np.uint64(0xFFFFFFFF)).astype(np.int64)


def descending_ranks(scores: np.ndarray) -> np.ndarray:
    """(N,) int64: 0 for the largest score."""
    ranks = np.empty(len(scores), np.int64)
    ranks[descending_order(scores)] = np.arange(len(scores))
    return ranks


def oss_groups(labels: np.ndarray, target: int | None) -> np.ndarray:
    """(N,) int64: the class within which OSS ranks a sample, -1 where it keeps it anyway; with all-to-all its own."""
    return labels if target is None else np.where(labels == target, labels, -1)


@dataclass(frozen=True, kw_only=True)
class PoolMap:
    """The first pool over a grid of shares; counts of samples, (A, B) int64 each, alpha down, beta across."""

    alphas: tuple[float, ...]
    betas: tuple[float, ...]
    size: np.ndarray
    smallest_class: np.ndarray
    """Samples of the class, by given label, that has the fewest of those that occur."""
    poison: np.ndarray | None
    """None where the truth is unknown."""
    clean: np.ndarray | None
    """Clean samples kept."""


def pool_map(
    config: BSDConfig,
    labels: np.ndarray,
    scores: FirstScores,
    is_poison: np.ndarray | None = None,
    *,
    alphas: tuple[float, ...],
    betas: tuple[float, ...],
) -> PoolMap:
    """The first pool for all pairs of shares at once.

    A sample is in the intersection from a certain alpha and a certain beta on, so that counts over the grid are sums of
    one two-dimensional histogram over these pairs; those of the other combinations follow from them.
    """
    n, classes = len(labels), int(labels.max(initial=0)) + 1
    truth = np.zeros(n, bool) if is_poison is None else is_poison
    kind = 2 * labels.astype(np.int64) + truth
    from_alpha = _first_share(
        descending_ranks(scores.losses),
        np.full(n, n),
        alphas if config.split.als_init_ratio is None else (config.split.als_init_ratio,) * len(alphas),
    )
    from_beta = _from_beta(labels, scores, betas)
    counts = _tallied(config, kind, from_alpha, from_beta, (2 * classes, len(alphas), len(betas)))
    by_class = counts[0::2] + counts[1::2]
    present = np.bincount(labels, minlength=classes) > 0
    return PoolMap(
        alphas=alphas,
        betas=betas,
        size=by_class.sum(0),
        smallest_class=by_class[present].min(0) if present.any() else np.zeros_like(by_class.sum(0)),
        poison=None if is_poison is None else counts[1::2].sum(0),
        clean=None if is_poison is None else counts[0::2].sum(0),
    )


def _first_share(ranks: np.ndarray, sizes: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    """(N,) int64: number of the first of the ascending shares that reaches a rank among so many; their number if none does."""
    result = np.zeros(len(ranks), np.int64)
    for size in np.unique(sizes):
        counts = np.array([exact_count(share, int(size)) for share in shares])
        mask = sizes == size
        result[mask] = np.searchsorted(counts, ranks[mask], side="right")
    return result


def _from_beta(labels: np.ndarray, scores: FirstScores, betas: tuple[float, ...]) -> np.ndarray:
    groups = oss_groups(labels, scores.target)
    result = np.zeros(len(labels), np.int64)
    for group in np.unique(groups[groups >= 0]):
        idx = np.flatnonzero(groups == group)
        result[idx] = _first_share(descending_ranks(scores.oss[idx]), np.full(len(idx), len(idx)), betas)
    return result


def _tallied(
    config: BSDConfig, kind: np.ndarray, a: np.ndarray, b: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """(K, A, B) int64: samples of each kind in the pool."""
    kinds, rows, columns = shape
    cells = np.bincount((kind * (rows + 1) + a) * (columns + 1) + b, minlength=kinds * (rows + 1) * (columns + 1))
    both = cells.reshape(kinds, rows + 1, columns + 1).cumsum(1).cumsum(2)
    by_alpha, by_beta = (
        both[:, :-1, -1:] + np.zeros((1, 1, columns), np.int64),
        both[:, -1:, :-1] + np.zeros((1, rows, 1), np.int64),
    )
    both = both[:, :-1, :-1]
    combine = config.split.init_combine
    if combine == "random":
        return _drawn(config, kind, both.sum(0), kinds)
    return {"intersection": both, "union": by_alpha + by_beta - both, "als_only": by_alpha, "oss_only": by_beta}[
        combine
    ]


def _drawn(config: BSDConfig, kind: np.ndarray, sizes: np.ndarray, kinds: int) -> np.ndarray:
    """(K, A, B): samples of each kind among the first ones of the run's random order."""
    import torch

    from bsd_engine.compute.plans import generator_for

    order = descending_order(torch.rand(len(kind), generator=generator_for(config.seed, "pools", 0)).numpy())
    seen = np.zeros((kinds, len(kind) + 1), np.int64)
    seen[kind[order], np.arange(1, len(kind) + 1)] = 1
    return seen.cumsum(1)[:, sizes]


# -- what a preview is worth -----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Worth:
    """How much a preview says, and where a run that has the settings would have to begin."""

    honesty: Honesty
    sentence: str
    branch_epoch: int | None
    """Global epoch whose checkpoint a branch goes on from; None for a run from the start."""


def branch_epoch(config: BSDConfig, settings: Settings) -> int | None:
    """The last stage end before anything reads one of the changed settings; None where the altruistic warm-up changes."""
    own = Settings.of(config)
    if settings.altruistic_epochs != own.altruistic_epochs:
        return None
    return own.altruistic_epochs + (0 if settings.t1 != own.t1 else own.t1) - 1


def worth(config: BSDConfig, settings: Settings, state: EpochState, *, target_then: int | None = None) -> Worth:
    """What a preview of an epoch is worth.

    Parameters
    ----------
    state : the epoch looked at
    target_then : the suspected target after `settings.altruistic_epochs` epochs, where that is not the run's number
    """
    own, where = Settings.of(config), branch_epoch(config, settings)
    honesty, sentence = _worth(config, settings, own, state, target_then)
    return Worth(honesty=honesty, sentence=sentence, branch_epoch=where)


def _worth(
    config: BSDConfig, settings: Settings, own: Settings, state: EpochState, target_then: int | None
) -> tuple[Honesty, str]:
    if settings == own:
        return "recorded", "These are the settings of the run: what you see is what it did."
    if settings.t1 > own.t1:
        return (
            "needs a run",
            f"The main model warmed up for {own.t1} epochs; what {settings.t1} would have given was not recorded.",
        )
    if settings.altruistic_epochs > own.altruistic_epochs:
        return (
            "needs a run",
            f"The altruistic model warmed up for {own.altruistic_epochs} epochs; a longer warm-up moves all that follows.",
        )
    if settings.altruistic_epochs != own.altruistic_epochs and target_then != state.pseudo_target:
        return "needs a run", (
            f"After {settings.altruistic_epochs} epochs another class was suspected, so the main model would have "
            "warmed up without that class."
        )
    if state.stage in ("class_completion", "selective_drop"):
        return _later(settings, own)
    if settings.altruistic_epochs != own.altruistic_epochs:
        if config.altruistic.altruistic_update != "ce":
            return (
                "needs a run",
                "The altruistic model learns otherwise after its warm-up, so another length gives other losses.",
            )
        return "one step", (
            "Losses and suspected class are those of the shorter warm-up, exactly; the distances are of this run, whose "
            "random draws would shift."
        )
    if state.stage == "altruistic_warmup":
        return (
            "exact",
            "Altruistic losses depend on neither share. The cut by distance follows when the main model has warmed up.",
        )
    return "exact", (
        "Nothing the first split reads depends on alpha or beta"
        + (", and T1 is an epoch that was recorded (T2 and T3 stay)" if settings.t1 != own.t1 else "")
        + ": this is what a run would have done."
    )


def _later(settings: Settings, own: Settings) -> tuple[Honesty, str]:
    if (settings.t1, settings.altruistic_epochs, settings.distance) != (own.t1, own.altruistic_epochs, own.distance):
        return (
            "needs a run",
            "Another warm-up or distance gives another first pool, so every model after it would be another one.",
        )
    return "one step", (
        "This epoch's split of the two models as they are here. Earlier epochs would have been split otherwise "
        "too, which only a run can show."
    )
