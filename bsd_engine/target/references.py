"""The samples of a class that may carry a trigger, and the samples of like content that they are compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from bsd_engine.target.thumbnails import thumbnails

LOWEST_SHARE, FEWEST_SAMPLES, MOST_SAMPLES = 0.1, 10, 64
"""Of a class: the samples with the lowest loss, which are taken for carriers of a trigger."""
REFERENCES, NEIGHBOURS, THUMBNAIL = 2000, 5, 8
"""Samples that references are taken from, references of each sample, and pixels a side of the images compared."""


class References:
    """Samples that g has learned worse than the median of their class, and the ones that each sample looks like.

    Parameters
    ----------
    images : (N, H, W, K) uint8
    labels : (N,) int64, the given labels
    losses : (N,) float32, of g
    """

    def __init__(self, images: Tensor, labels: Tensor, losses: Tensor, generator: torch.Generator) -> None:
        self.images = images
        harder = torch.zeros_like(labels, dtype=torch.bool)
        for c in torch.unique(labels).tolist():
            ranked = ranked_by_loss(labels, losses, c)
            harder[ranked[len(ranked) // 2 :]] = True
        idx = harder.nonzero().squeeze(1)
        self.idx = idx[torch.randperm(len(idx), generator=generator).to(idx.device)[:REFERENCES]]
        """(R,) int64: all references."""
        everything = torch.arange(len(labels), device=labels.device)
        small = thumbnails(images, THUMBNAIL, labels.device)
        self.nearest = torch.cat([self._nearest(part, small) for part in everything.split(256)])
        """(N, 5) int64: the references most like each sample."""
        self.likeness = (labels[self.nearest] == labels[:, None]).float().mean(1)
        """(N,) float32: share of these that have the label of the sample."""

    def _nearest(self, idx: Tensor, small: Tensor) -> Tensor:
        """(B, 5) int64: the references most like each sample, except the sample itself."""
        distances = torch.cdist(small[idx], small[self.idx])
        distances[idx[:, None] == self.idx] = torch.inf
        return self.idx[distances.topk(min(NEIGHBOURS, len(self.idx)), largest=False).indices]

    def of(self, idx: Tensor) -> Tensor:
        """(5 B, K, H, W) float32: the references of B samples."""
        return pixels_of(self.images, self.nearest[idx].flatten())


def pixels_of(images: Tensor, idx: Tensor) -> Tensor:
    """(B, K, H, W) float32: some of the images (N, H, W, K), on the device of the indices."""
    return images[idx.to(images.device)].to(idx.device).permute(0, 3, 1, 2).float()


def ranked_by_loss(labels: Tensor, losses: Tensor, c: int) -> Tensor:
    """Indices of the samples of a class, lowest loss first; of equal ones the lower index first."""
    idx = (labels == c).nonzero().squeeze(1)
    return idx[losses[idx].argsort(stable=True)]


def lowest_losses(ranked: Tensor) -> Tensor:
    """The samples of a class that are taken for carriers of a trigger, from all of them ranked by loss."""
    return ranked[: _carriers(len(ranked))]


def foreign_looking(ranked: Tensor, likeness: Tensor) -> Tensor:
    """The samples of a class with the lowest losses among those that look like other classes, at most half of these.

    Where fewer than `FEWEST_SAMPLES` look like other classes, the samples least like their own class.

    Parameters
    ----------
    ranked : indices of the samples of the class, lowest loss first
    likeness : share of the references of each of them that have its label
    """
    foreign = ranked[likeness <= 1 / NEIGHBOURS + 1e-6]
    if len(foreign) < FEWEST_SAMPLES:
        return ranked[likeness.argsort(stable=True)][:FEWEST_SAMPLES]
    return foreign[: max(FEWEST_SAMPLES, min(_carriers(len(ranked)), len(foreign) // 2))]


def _carriers(size: int) -> int:
    """How many samples of a class of this size are taken for carriers."""
    return min(MOST_SAMPLES, max(FEWEST_SAMPLES, int(LOWEST_SHARE * size)))
