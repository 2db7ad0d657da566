"""An upper bound on the share of bad samples in a set, from a random draw."""

from __future__ import annotations

import math

import numpy as np

from bsd_engine.errors import ConfigError


def upper_bound(bad: int, judged: int, confidence: float = 0.95) -> float:
    """Largest share of bad samples, from 0 to 1, that is consistent with a random draw (Clopper-Pearson, one-sided).

    Parameters
    ----------
    bad, judged : bad samples among those drawn at random and judged
    confidence : probability, at least, that the true share is at most the result

    The result is the p that solves P(X <= bad | n, p) = 1 - confidence for binomial X: 0 of 100 gives 0.0295. The bound
    also holds for a draw without replacement from a finite set, where it is a little wide.

    Raises
    ------
    ConfigError
        If there are more bad samples than judged ones, or the confidence is not between 0 and 1.
    """
    if not 0 <= bad <= judged:
        raise ConfigError(f"{bad} of {judged} samples cannot be bad; expected a number from 0 to {judged}.")
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence is {confidence}, expected a number between 0 and 1, such as 0.95.")
    if bad == judged:
        return 1.0
    low, high = bad / judged if judged else 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(bad, judged, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(k: int, n: int, p: float) -> float:
    """P(X <= k) for binomial X, summed in logarithms because n over k overflows."""
    logs = (
        [
            math.lgamma(n + 1)
            - math.lgamma(i + 1)
            - math.lgamma(n - i + 1)
            + i * math.log(p)
            + (n - i) * math.log1p(-p)
            for i in range(k + 1)
        ]
        if 0 < p < 1
        else [0.0 if p == 0 else -math.inf]
    )
    top = max(logs)
    return math.exp(top) * math.fsum(math.exp(x - top) for x in logs) if top > -math.inf else 0.0


def needed_draws(share: float, confidence: float = 0.95) -> int:
    """How many samples, none of them bad, give a bound of this share: 0.01 needs 299."""
    if not 0 < share < 1:
        raise ConfigError(f"The share is {share}, expected a number between 0 and 1, such as 0.01.")
    return math.ceil(math.log(1 - confidence) / math.log1p(-share) - 1e-9)


def draw(candidates: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(count,) int64: samples drawn at random without replacement, in random order: the first few are a draw too.

    Parameters
    ----------
    candidates : (N,) bool, the samples to draw from
    """
    idx = np.flatnonzero(candidates)
    return np.random.default_rng(seed).permutation(idx)[:count]


def sentence(bad: int, judged: int, confidence: float = 0.95) -> str:
    """The bound in words, with its assumptions."""
    if not judged:
        return "Nothing is judged yet, so nothing can be said."
    bound, sure = upper_bound(bad, judged, confidence), f"{100 * confidence:.4g} %"
    return (
        f"{bad:,} bad of {judged:,} drawn at random: at most {100 * bound:.2f} % of the set are bad, "
        f"with {sure} confidence, provided that you see what is bad: a warp or a change of few grey levels, and a "
        "picture that keeps its own label, pass unseen."
    )
