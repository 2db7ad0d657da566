"""Checks for the known failures of a run, each with its evidence. Proxies are told apart from the ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bsd_engine.audit.explain.ranks import initial_ranks
from bsd_engine.audit.gap import find_gap
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import Suspects
from bsd_engine.method.rules import PoolRules

Level = Literal["calm", "notice", "alarm"]
COLLAPSED_SHARE = 0.2
STARVED = 1 / 3
AGREEMENT = 1.5


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One check of a run."""

    kind: Literal["collapse", "starvation", "target", "attack"]
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
        return (_target(history),)
    collapse = _collapse_by_proxy(history, ranking) if is_poison is None else _collapse(history, is_poison)
    return collapse, _starvation(history), _target(history), _attack(history, ranking)


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
    gap = find_gap(ranking.score[judged])
    group = judged & (ranking.score > gap.threshold) if gap else np.zeros(history.num_samples, bool)
    inside = float(history.in_pool[-1][group].mean()) if gap else 0.0
    returned = int(flagged.sum()) >= 10 and back > 0.8 * others and gap is None
    sentence = (
        f"Of {int(flagged.sum()):,} samples that both views marked at the first split, {back:.0%} are in the pool "
        f"at epoch {history.first_main + t + 1}"
    )
    sentence += f", of the other classes' samples {others:.0%}." if (~judged).any() else "."
    if gap:
        sentence += (
            f" Of the {int(group.sum()):,} that stand apart by their scores, {inside:.0%} are in the pool "
            f"at epoch {history.num_epochs}."
        )
    if everything:
        sentence += (
            f" The pool holds {pool.mean():.0%} of all samples, so hardly anything could be kept out; lower alpha."
        )
    elif returned:
        sentence += (
            " They are trusted like all others: either they are clean, or poison entered the pool. Look at them."
        )
    level: Level = "alarm" if everything or inside > COLLAPSED_SHARE else "notice" if returned else "calm"
    return Alarm(
        kind="collapse",
        level=level,
        title="Suspects back in the clean pool (stands in for a type I collapse)",
        sentence=sentence,
        is_proxy=True,
        evidence={
            "flagged_by_both": int(flagged.sum()),
            "back_in_pool": back,
            "others_in_pool": others,
            "pool_share": float(pool.mean()),
            "apart_in_pool": inside if gap else None,
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
    sentence = (
        f"The pool has {usual:.0%} of a class in the middle, and {shares[fewest]:.0%} of {history.name(fewest)}, "
        "the least."
    )
    if starved:
        names = ", ".join(history.name(c) for c in starved[:5]) + (", ..." if len(starved) > 5 else "")
        sentence += (
            f" Too few of: {names}. The main model may not learn them; "
            'class completion "balanced" keeps each class\'s share.'
        )
    return Alarm(
        kind="starvation",
        level="alarm" if starved else "calm",
        title="Classes that starve (type II collapse)",
        sentence=sentence,
        is_proxy=False,
        evidence={"starved": len(starved), "least_share": float(shares[fewest]), "median_share": usual},
    )


def _target(history: RunHistory) -> Alarm:
    """Whether the estimates of the target class agreed."""
    warmup = history.targets[: history.first_main]
    if history.pseudo_target is None or history.vote_scores is None:
        return Alarm(
            kind="target",
            level="calm",
            title="Agreement about the target",
            is_proxy=False,
            evidence={},
            sentence=_without_target(history.rules),
        )
    agreeing = sum(t == history.pseudo_target for t in warmup)
    best, second = np.sort(history.vote_scores.astype(np.float64))[::-1][:2]
    ratio = float(best / second) if second > 0 else float("inf")
    weak = ratio < AGREEMENT or 2 * agreeing <= len(warmup)
    sentence = (
        f"{history.name(history.pseudo_target)} scores {min(ratio, 999):.2f} times as much as the next class, "
        f"and {agreeing} of {len(warmup)} warm-up epochs named it."
    )
    if weak:
        sentence += (
            " That is little: another class may be the target, or none. "
            "Compare a run with the class given (assume_target)."
        )
    return Alarm(
        kind="target",
        level="notice" if weak else "calm",
        title="Agreement about the target",
        sentence=sentence,
        is_proxy=True,
        evidence={"ratio": min(ratio, 999.0), "epochs_agreeing": agreeing, "epochs": len(warmup)},
    )


def _without_target(rules: PoolRules) -> str:
    """Why no single class is suspected."""
    if rules.several_targets:
        return "Several targets were found: every class is looked at as a target."
    if rules.all_to_all != "off":
        return "All-to-all: every class is looked at as a target."
    return "No attack was found, so no class is suspected."


def _attack(history: RunHistory, ranking: Suspects) -> Alarm:
    """Whether the suspect scores of the suspected class fall into two groups."""
    gap = find_gap(ranking.score[history.candidates])
    where = "all samples" if history.pseudo_target is None else history.name(history.pseudo_target)
    if gap is None:
        sentence = (
            f"The suspect scores of {where} make one group: nothing sets poison apart. There may be no attack, or one "
            "that this run cannot tell from clean samples. The ranking still holds the likeliest first."
        )
        return Alarm(
            kind="attack",
            level="notice",
            title="No attack found",
            sentence=sentence,
            is_proxy=True,
            evidence={"above_gap": None, "threshold": None},
        )
    sentence = (
        f"The suspect scores of {where} fall into two groups: {gap.above:,} samples above {gap.threshold:.2f}, "
        f"{gap.below:,} below, with a gap that is {gap.depth:.0%} deep. "
        "The upper group is what an attack would look like."
    )
    return Alarm(
        kind="attack",
        level="calm",
        title="A group stands apart: likely an attack",
        sentence=sentence,
        is_proxy=True,
        evidence={"above_gap": gap.above, "threshold": gap.threshold, "depth": gap.depth},
    )
