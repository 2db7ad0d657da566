"""Ranks of scores in the order in which the pool rules cut them. Loads no torch."""

from __future__ import annotations

import numpy as np


def descending_order(scores: np.ndarray) -> np.ndarray:
    """(N,) int64: samples by descending score, equal ones by index, as `splits` ranks them. Scores must not be NaN.

    float32 scores are sorted as integers that hold the index in their lower half: 0.7 ms for 50,000, where a stable
    argsort takes 6.
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
