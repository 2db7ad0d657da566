"""Which samples a cleaned set keeps, how much poison is estimated to be left in it, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bsd_engine.audit.findings.apart import names_attack, poison_probability
from bsd_engine.audit.findings.doubtful import doubtful_labels
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgement
from bsd_engine.audit.suspects import Suspects
from bsd_engine.errors import ConfigError

Rule = Literal["strict", "balanced", "generous", "pool"]
RULES: tuple[Rule, ...] = ("strict", "balanced", "generous", "pool")
LARGEST: Mapping[str, float] = {"strict": 0.05, "balanced": 0.2, "generous": 0.5}
"""Estimated probability of poison up to which a sample is kept."""
FEWEST = 5
"""Samples of a class that are kept at least, the least suspect ones, if it has as many."""
STARVED = 1 / 3
"""Share of a class, of the share that a class in the middle keeps, below which it is named."""


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """The samples that are kept, and an estimate of what that means."""

    keep: np.ndarray
    """(N,) bool."""
    poison_left: float
    """Estimated number of poisoned samples among those that are kept, by the recorded probabilities."""
    clean_lost: float
    """Estimated number of clean samples that are removed."""
    starving: tuple[int, ...]
    """Classes that keep so few samples that a model may not learn them."""
    nothing_found: bool
    """Whether the verdict names no attack, so that there is nothing to estimate from."""
    lost_of_target: float | None = None
    """Estimated share of the target's own clean images that is removed; None without a single target."""

    @property
    def removed(self) -> int:
        """How many samples are removed."""
        return int((~self.keep).sum())

    def sentence(self, class_names: tuple[str, ...]) -> str:
        """What the set holds and what it costs, in plain words; class names stand as they were given."""
        total, text = len(self.keep), f"{self.removed:,} of {len(self.keep):,} images are removed."
        if self.nothing_found:
            text += " No attack was found for certain, so poison cannot be estimated."
        else:
            text += (
                f" About {self.poison_left:,.0f} poisoned ones are left, and about {self.clean_lost:,.0f} clean ones "
                f"({self.clean_lost / total:.1%} of all) are lost"
                + ("." if self.lost_of_target is None else f", {self.lost_of_target:.0%} of those of the target.")
            )
        if self.starving:
            names = ", ".join(class_names[c] for c in self.starving[:5]) + (", ..." if len(self.starving) > 5 else "")
            text += f" Few are left of: {names}. A model trained on this set may not learn that."
        return text


def clean(
    history: RunHistory, ranking: Suspects, judgements: Mapping[int, Judgement], rule: Rule = "balanced"
) -> Cleaning:
    """Choose the samples to keep.

    Parameters
    ----------
    judgements : keep and remove decide for their samples, unsure leaves it to the rule
    rule : balanced, strict and generous remove the samples whose estimated probability of poison is above 0.2, 0.05 and
        0.5; strict also removes those whose label both models contradict. Without an attack found, strict keeps the
        samples that were in the clean pool for more than half of the epochs from T1 on, and the others keep all. pool:
        the clean pool of the newest epoch, whatever the verdict.

    Raises
    ------
    ConfigError
        Before the first split, when nothing is known yet.
    """
    if not ranking.epochs_decided:
        raise ConfigError(
            "The run has not split its samples yet, so there is nothing to keep or to remove; wait for the epoch T1."
        )
    probability = poison_probability(history, ranking)
    keep = _by_rule(history, ranking, probability, rule)
    if rule != "pool":
        keep |= _least_suspect(history.labels, ranking.rank)
    for sample, judgement in judgements.items():
        if judgement.choice != "unsure":
            keep[sample] = judgement.choice == "keep"
    return Cleaning(
        keep=keep,
        poison_left=float(probability[keep].sum()),
        clean_lost=float((1 - probability[~keep]).sum()),
        starving=_starving(history.labels, keep),
        lost_of_target=_lost_of_target(history, probability, keep),
        nothing_found=not names_attack(history.verdict),
    )


def _by_rule(history: RunHistory, ranking: Suspects, probability: np.ndarray, rule: Rule) -> np.ndarray:
    if rule == "pool":
        return ranking.in_pool.copy()
    keep = probability <= LARGEST[rule]
    if rule == "strict":
        keep &= ~doubtful_labels(history)
        if not names_attack(history.verdict):
            keep &= 2 * ranking.epochs_in_pool > ranking.epochs_decided
    return keep


def _least_suspect(labels: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """(N,) bool: the last samples in the ranking of each class."""
    chosen = np.zeros(len(labels), bool)
    for c in np.unique(labels):
        of_class = np.flatnonzero(labels == c)
        chosen[of_class[np.argsort(-rank[of_class])[:FEWEST]]] = True
    return chosen


def _lost_of_target(history: RunHistory, probability: np.ndarray, keep: np.ndarray) -> float | None:
    if history.verdict is None or history.verdict["kind"] != "target":
        return None
    of_target = history.labels == history.verdict["classes"][0]
    clean = 1 - probability[of_target]
    return float(clean[~keep[of_target]].sum() / max(1.0, float(clean.sum())))


def _starving(labels: np.ndarray, keep: np.ndarray) -> tuple[int, ...]:
    """Classes of which a small share is kept, and fewer samples than of a class in the middle."""
    sizes = np.bincount(labels)
    kept = np.bincount(labels[keep], minlength=len(sizes))
    shares = kept / np.maximum(1, sizes)
    there = sizes > 0
    few = (shares < STARVED * np.median(shares[there])) & (kept < np.median(kept[there])) & there
    return tuple(int(c) for c in np.flatnonzero(few))
