"""The samples that stand apart: those that the attack which the verdict names would account for."""

from __future__ import annotations

from typing import Any

import numpy as np

from bsd_engine.audit.findings.gap import find_gap
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import Suspects

LIKELY = 0.5
"""Probability above which a sample stands apart."""


def poison_probability(history: RunHistory, ranking: Suspects) -> np.ndarray:
    """(N,) float32: estimated probability that a sample is poisoned, 0 throughout where the verdict names no attack.

    It is the recorded one of the target's samples. Runs of earlier versions and those with several targets have none:
    there, the samples above a gap between two groups of suspect scores count as poisoned.
    """
    if history.poison_probability is not None:
        return history.poison_probability
    found = np.zeros(history.num_samples, np.float32)
    if names_attack(history.verdict) and ranking.epochs_decided:
        gap = find_gap(ranking.score[history.candidates])
        if gap is not None:
            found[history.candidates & (ranking.score > gap.threshold)] = 1.0
    return found


def stands_apart(history: RunHistory, ranking: Suspects) -> np.ndarray:
    """(N,) bool: the samples that are more likely poisoned than not; none where the verdict names no attack."""
    return poison_probability(history, ranking) > LIKELY


def names_attack(verdict: dict[str, Any] | None) -> bool:
    """Whether a verdict names an attack; runs of the first versions have no verdict and count as if it did."""
    return verdict is None or verdict["kind"] in ("target", "several")
