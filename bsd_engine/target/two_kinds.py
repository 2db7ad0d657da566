"""Splits each class into two kinds of samples: some with a pattern that the others lack.

An attack adds one pattern to some samples of its target class, whether they belong to that class (clean-label) or not.
Along that pattern, measured by how much other classes vary along it, the class falls into two narrow groups, while
natural classes vary gradually. Neither a model nor the ground truth is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bsd_engine.target.thumbnails import averages

SIDE = 16
"""Images are compared in grey at this size: a sinusoid of six periods is still visible, and covariances stay small."""
PIXEL_NOISE = 4.0
"""Least variance of every direction, in squared grey levels, so that constant pixels count for nothing."""
DIRECTIONS, SAMPLES_A_DIRECTION = 8, 10
"""Directions of largest variance that are searched; fewer in a class with fewer than ten samples for each of them."""
POWER_ITERATIONS, STEPS = 4, 6
"""Iterations that find the directions, and steps of the search."""
FEWEST, LEAST_SHARE, LEAST_SAMPLES = 5, 0.05, 20
"""The smallest kind, in samples and as a share of its class, and the smallest class that is searched, in samples."""


@dataclass(frozen=True, kw_only=True)
class Kinds:
    """Result for N samples of C classes."""

    separation: Tensor
    """(C,) float32: distance between the means of the two kinds of a class, in standard deviations within the kinds,
    along the direction where it is largest; 0 for classes that are too small."""
    odd: Tensor
    """(N,) bool: samples of the smaller kind of their class."""


def two_kinds(images: Tensor, labels: Tensor, losses: Tensor, num_classes: int, generator: torch.Generator) -> Kinds:
    """Split each class into the two kinds that lie farthest apart.

    Parameters
    ----------
    images : (N, H, W, K) uint8
    labels : (N,) int64, the given labels
    losses : (N,) float32, of the altruistic model: its lowest tenth is one of the splits that the search starts from
    generator : on the CPU

    Notes
    -----
    Let x be the small grey image less the mean of its class, and W_c the covariance within the *other* classes plus
    `PIXEL_NOISE`. The class is searched in the leading `DIRECTIONS` of z = L^-1 x, where W_c = L L^T. The search
    alternates `STEPS` times between Fisher's direction for a split, S^-1 (m1 - m0) with S the covariance within the two
    parts, and the split with the largest variance between the parts for a direction (Otsu). It starts from the split at
    each of the directions and from the split by the losses. The best split found counts.
    """
    centred = _centred(_thumbnails(images), labels.cpu(), num_classes)
    labels, losses = labels.cpu(), losses.cpu()
    everything = sum(_scatter(centred[labels == c]) for c in range(num_classes))
    separation, odd = torch.zeros(num_classes), torch.zeros(len(labels), dtype=torch.bool)
    start = torch.randn(centred.shape[1], DIRECTIONS, generator=generator)
    for c in range(num_classes):
        idx = (labels == c).nonzero().squeeze(1)
        if len(idx) < LEAST_SAMPLES:
            continue
        of_class = centred[idx]
        others = ((everything - _scatter(of_class)) / max(1, len(labels) - len(idx))).float()
        within = others + PIXEL_NOISE * torch.eye(of_class.shape[1])
        white = torch.linalg.solve_triangular(torch.linalg.cholesky(within), of_class.T, upper=False).T
        leading = white @ _leading(white, start)[:, : len(idx) // SAMPLES_A_DIRECTION]
        separation[c], high = _farthest(leading, losses[idx])
        odd[idx] = high if 2 * int(high.sum()) <= len(idx) else ~high
    return Kinds(separation=separation, odd=odd)


def _thumbnails(images: Tensor) -> Tensor:
    """(N, D) float32 on the CPU: grey thumbnails, at most `SIDE` pixels high and wide."""
    rows, columns = (averages(side, min(side, SIDE)).to(images.device) for side in images.shape[1:3])
    return torch.cat([(rows @ part.float().mean(3) @ columns.T).flatten(1).cpu() for part in images.split(1024)])


def _centred(x: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """x (N, D) less the mean of its class."""
    sums = torch.zeros(num_classes, x.shape[1]).index_add_(0, labels, x)
    return x - (sums / torch.bincount(labels, minlength=num_classes).clamp_min(1)[:, None])[labels]


def _scatter(x: Tensor) -> Tensor:
    """(D, D) float64: x^T x.

    A matrix subtracted from a sum of these is exactly the one that was added, so no direction of the rest is negative.
    """
    return (x.T @ x).double()


def _leading(white: Tensor, start: Tensor) -> Tensor:
    """(D, DIRECTIONS): the directions in which the rows vary most, largest first, by subspace iteration."""
    basis = start
    for _ in range(POWER_ITERATIONS):
        basis = torch.linalg.qr(white.T @ (white @ basis)).Q
    _, vectors = torch.linalg.eigh((white @ basis).T @ (white @ basis))
    return basis @ vectors.flip(1)


def _farthest(points: Tensor, losses: Tensor) -> tuple[float, Tensor]:
    """The largest separation found among points (n, k) and its split (n,) bool; all starts are searched at once."""
    lowest = torch.zeros(1, len(points), dtype=torch.bool)
    lowest[0, losses.argsort(stable=True)[: max(FEWEST, len(points) // 10)]] = True
    splits = torch.cat([lowest, _otsu(points.T)[1]])
    best, best_split = 0.0, lowest[0]
    for _ in range(STEPS):
        separation, splits = _otsu(_fisher(points, splits) @ points.T)
        i = int(separation.argmax())
        if separation[i] > best:
            best, best_split = float(separation[i]), splits[i]
    return best, best_split


def _fisher(points: Tensor, splits: Tensor) -> Tensor:
    """(S, k): Fisher's direction of each split (S, n) of the points (n, k), which have mean zero."""
    n, k = points.shape
    above = splits.float()
    sizes = above.sum(1, keepdim=True)
    sums = above @ points  # of the parts above; the sums below are their negatives
    gaps = sums / sizes + sums / (n - sizes)
    between = (sums[:, :, None] * gaps[:, None]) / n
    scatter = points.T @ points / n - between
    ridge = 0.01 * scatter.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-6)
    return torch.linalg.solve(scatter + ridge[:, None, None] * torch.eye(k), gaps)


def _otsu(x: Tensor) -> tuple[Tensor, Tensor]:
    """The cut of each row of values (S, n) with the largest variance between its sides.

    Returns
    -------
    (S,) distance of the sides' means in standard deviations within them; (S, n) bool, the values above the cut.
    """
    values, order = x.double().sort(dim=1)
    n, below = x.shape[1], torch.arange(1, x.shape[1])
    sums = values.cumsum(1)
    gap = (sums[:, -1:] - sums[:, :-1]) / (n - below) - sums[:, :-1] / below
    between = below * (n - below) / n**2 * gap**2
    fewest = max(FEWEST, int(LEAST_SHARE * n))
    between[:, : fewest - 1] = between[:, n - fewest :] = -1
    cut = between.argmax(1, keepdim=True)
    above = torch.zeros_like(x, dtype=torch.bool).scatter_(1, order, torch.arange(n) > cut)
    inside = (values.var(1, correction=0) - between.gather(1, cut)[:, 0]).clamp_min(1e-12)
    return (gap.gather(1, cut)[:, 0] / inside.sqrt()).float(), above
