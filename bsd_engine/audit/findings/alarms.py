"""Checks for the known failures of a run, each with its evidence. Proxies are told apart from the ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bsd_engine.audit.explain.ranks import initial_ranks
from bsd_engine.audit.findings.apart import names_attack, stands_apart
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import Suspects
from bsd_engine.target.verdict import confidence
from bsd_engine.target.words import headline, sentence

Level = Literal["calm", "notice", "alarm"]
COLLAPSED_SHARE = 0.2
STARVED = 1 / 3


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One check of a run."""

    kind: Literal["attack", "collapse", "starvation"]
    level: Level
    title: str
    sentence: str
    """The finding with its numbers; class names stand as they were given."""
    is_proxy: bool
    """Whether it is a proxy for a number that needs the ground truth."""
    evidence: Mapping[str, float | int | str | None]


def alarms(history: RunHistory, ranking: Suspects, is_poison: np.ndarray | None = None) -> tuple[Alarm, ...]:
    """All checks, calm or not.

    Parameters
    ----------
    is_poison : (N,) bool, optional
        The ground truth, where it is known and may be used: the collapse is then counted, not estimated.
    """
    if not history.decided:
        return (_attack(history, ranking),)
    collapse = _collapse_by_proxy(history, ranking) if is_poison is None else _collapse(history, is_poison)
    return _attack(history, ranking), collapse, _starvation(history)


def _collapse(history: RunHistory, is_poison: np.ndarray) -> Alarm:
    """Type I with the ground truth: poison in the clean pool."""
    total, inside = int(is_poison.sum()), int((history.in_pool[-1] & is_poison).sum())
    share = inside / total if total else 0.0
    return Alarm(
        kind="collapse",
        level="alarm" if share > COLLAPSED_SHARE else "calm",
        title="Poison in the clean pool (type I collapse)",
        is_proxy=False,
        sentence=f"{inside:,} of {total:,} poisoned samples are in the clean pool at epoch {history.num_epochs}"
        + (f"; above {COLLAPSED_SHARE:.0%} the main model learns the attack." if share > COLLAPSED_SHARE else "."),
        evidence={"poison_in_pool": inside, "poison": total, "share": share},
    )


def _collapse_by_proxy(history: RunHistory, ranking: Suspects) -> Alarm:
    """Type I without the ground truth: the first split's suspects, or nearly all samples, are trusted like the others.

    If an attack is kept out, they stay out. Without any attack they come back too, which does no harm. The pool alone
    cannot tell one case from the other.
    """
    split = initial_ranks(history).split
    judged = history.candidates
    flagged = judged & ~split.als_mask & ~split.oss_mask
    t = _last_before_drop(history)
    pool = history.in_pool[t]
    back, others = (float(pool[mask].mean()) if mask.any() else 0.0 for mask in (flagged, ~judged))
    everything = bool(pool.mean() > 0.9)
    group = stands_apart(history, ranking)
    inside = float(history.in_pool[-1][group].mean()) if group.any() else 0.0
    returned = int(flagged.sum()) >= 10 and back > 0.8 * others and not group.any()
    text = "No sample was marked by both views at the first split."
    if flagged.any():
        text = (
            f"Of {int(flagged.sum()):,} samples that both views marked at the first split, {back:.0%} are in the pool "
            f"at epoch {history.first_main + t + 1}"
        )
        text += f", of the other classes' samples {others:.0%}." if (~judged).any() else "."
    if group.any():
        text += (
            f" Of the {int(group.sum()):,} that stand apart, {inside:.0%} are in the pool "
            f"at epoch {history.num_epochs}."
        )
    if everything:
        text += f" The pool holds {pool.mean():.0%} of all samples, so hardly anything could be kept out; lower alpha."
    elif returned:
        text += " They are trusted like all others: either they are clean, or poison entered the pool. Look at them."
    level: Level = "alarm" if everything or inside > COLLAPSED_SHARE else "notice" if returned else "calm"
    return Alarm(
        kind="collapse",
        level=level,
        title="Suspects back in the clean pool (stands in for a type I collapse)",
        sentence=text,
        is_proxy=True,
        evidence={
            "flagged_by_both": int(flagged.sum()),
            "back_in_pool": back,
            "others_in_pool": others,
            "pool_share": float(pool.mean()),
            "apart_in_pool": inside if group.any() else None,
        },
    )


def _last_before_drop(history: RunHistory) -> int:
    """The newest main epoch before selective drop, which empties the suspected class by design."""
    start = history.rules.drop_start if history.rules.selective_drop else len(history.in_pool)
    return max(history.config.schedule.t1, min(len(history.in_pool), start) - 1)


def _starvation(history: RunHistory) -> Alarm:
    """Type II: classes that the pool has too few of. The suspected class is judged before selective drop begins."""
    t = _last_before_drop(history)
    sizes = np.bincount(history.labels, minlength=len(history.class_names))
    last = history.in_pool[-1].copy()
    counts = np.bincount(history.labels[last], minlength=len(sizes))
    if history.pseudo_target is not None:
        counts[history.pseudo_target] = int((history.in_pool[t] & (history.labels == history.pseudo_target)).sum())
    shares = counts / np.maximum(1, sizes)
    usual = float(np.median(shares[sizes > 0]))
    starved = [int(c) for c in np.flatnonzero((shares < STARVED * usual) & (sizes > 0))]
    fewest = int(np.argmin(np.where(sizes > 0, shares, np.inf)))
    text = (
        f"The pool has {usual:.0%} of a class in the middle, and {shares[fewest]:.0%} of {history.name(fewest)}, "
        "the least."
    )
    if starved:
        names = ", ".join(history.name(c) for c in starved[:5]) + (", ..." if len(starved) > 5 else "")
        text += (
            f" Too few of: {names}. The main model may not learn them; "
            'class completion "balanced" keeps each class\'s share.'
        )
    return Alarm(
        kind="starvation",
        level="alarm" if starved else "calm",
        title="Classes that starve (type II collapse)",
        sentence=text,
        is_proxy=False,
        evidence={"starved": len(starved), "least_share": float(shares[fewest]), "median_share": usual},
    )


def _attack(history: RunHistory, ranking: Suspects) -> Alarm:
    """The verdict, and how many samples stand apart."""
    verdict = history.verdict
    apart = int(stands_apart(history, ranking).sum())
    text = sentence(verdict, history.class_names)
    if apart:
        text += f" {apart:,} samples stand apart."
    return Alarm(
        kind="attack",
        level="alarm" if verdict is not None and names_attack(verdict) else "notice" if _is_open(verdict) else "calm",
        title=headline(verdict, history.class_names),
        sentence=text,
        is_proxy=True,
        evidence={"apart": apart, "confidence": confidence(verdict) if verdict else None},
    )


def _is_open(verdict: dict[str, Any] | None) -> bool:
    """Whether there is no verdict yet, or an uncertain one."""
    return verdict is None or verdict["kind"] == "uncertain"
