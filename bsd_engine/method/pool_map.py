"""The first pool over a grid of alphas and betas, counted from ranks: 11 ms for 50,000 samples and 441 pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bsd_engine.config.settings import BSDConfig
from bsd_engine.method.first_scores import FirstScores
from bsd_engine.method.ranking import descending_order, descending_ranks
from bsd_engine.shares import exact_count


def oss_groups(labels: np.ndarray, target: int | None) -> np.ndarray:
    """(N,) int64: the class within which OSS ranks a sample, with all-to-all its label; -1 where OSS keeps it."""
    return labels if target is None else np.where(labels == target, labels, -1)


@dataclass(frozen=True, kw_only=True)
class PoolMap:
    """The first pool over a grid of shares: counts of samples, (A, B) int64 each, alpha down, beta across."""

    alphas: tuple[float, ...]
    betas: tuple[float, ...]
    size: np.ndarray
    smallest_class: np.ndarray
    """Samples of the class, by given label, that has the fewest among the classes that occur."""
    poison: np.ndarray | None
    """None where the ground truth is unknown."""
    clean: np.ndarray | None
    """Clean samples in the pool; None where the ground truth is unknown."""


def pool_map(
    config: BSDConfig,
    labels: np.ndarray,
    scores: FirstScores,
    is_poison: np.ndarray | None = None,
    *,
    alphas: tuple[float, ...],
    betas: tuple[float, ...],
) -> PoolMap:
    """The first pool for all pairs of shares at once, as `preview.first_pool` gives it for each.

    A sample is in the intersection from some alpha and some beta on. Counts over the grid are therefore sums of one
    two-dimensional histogram over these pairs; those of the other combinations follow.
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
    """(N,) int64: number of the first of the ascending shares that reaches a rank; `len(shares)` if none does."""
    result = np.zeros(len(ranks), np.int64)
    for size in np.unique(sizes):
        counts = np.array([exact_count(share, int(size)) for share in shares])
        mask = sizes == size
        result[mask] = np.searchsorted(counts, ranks[mask], side="right")
    return result


def _from_beta(labels: np.ndarray, scores: FirstScores, betas: tuple[float, ...]) -> np.ndarray:
    """(N,) int64: number of the first beta at which OSS keeps a sample; 0 for all where no class is suspected."""
    result = np.zeros(len(labels), np.int64)
    if scores.oss is None:
        return result
    groups = oss_groups(labels, scores.target)
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
    """(K, A, B) int64: samples of each kind among the first ones in the run's random order."""
    import torch

    from bsd_engine.compute.plans import generator_for

    order = descending_order(torch.rand(len(kind), generator=generator_for(config.seed, "pools", 0)).numpy())
    seen = np.zeros((kinds, len(kind) + 1), np.int64)
    seen[kind[order], np.arange(1, len(kind) + 1)] = 1
    return seen.cumsum(1)[:, sizes]
