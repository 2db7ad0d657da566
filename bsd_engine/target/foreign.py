"""How foreign a sample of the suspected class looks to the main model, which learned without that class's poison."""

from __future__ import annotations

import torch
from torch import Tensor

_SHRINKAGE = 1.0  # of the covariance towards a multiple of the identity; 0.2 was worse for ReFool on GTSRB
_CORE, _ROUNDS = 0.4, 10  # share of the class that its own centre is the mean of, and rounds until it settles
_STEEP = 4.0


def foreign_probability(features: Tensor, labels: Tensor, target: int) -> Tensor:
    """(n,) float32, for the samples of the suspected class in order: from 0, like its core, to 1, like another class.

    Parameters
    ----------
    features : (N, D) of the main model
    labels : (N,) int64, the given labels
    target : the suspected class

    Distances are measured after whitening by the covariance within the other classes (linear discriminant analysis).
    A sample is 0.5 where it is as far from the centre of the nearest other class as from its own core: the mean of the
    two fifths of the class that are nearest to that mean itself. Poisoned samples were taken from other classes, many
    of them, so that they form no core.
    """
    of_class = labels == target
    classes = torch.unique(labels[~of_class])
    if int(of_class.sum()) < 2 or not len(classes):
        return torch.zeros(int(of_class.sum()))
    white = _whitened(features.double(), labels, of_class)
    centres = torch.stack([white[labels == c].mean(0) for c in classes])
    own = white[of_class]
    nearer = (own - _core(own)).norm(dim=1) - torch.cdist(own, centres).amin(1)
    return torch.sigmoid(_STEEP * nearer / nearer.std().clamp_min(1e-9)).float().cpu()


def _whitened(features: Tensor, labels: Tensor, of_class: Tensor) -> Tensor:
    """(N, D): features with about the same spread in every direction within the classes but the suspected one."""
    rest, y = features[~of_class], labels[~of_class]
    sums = torch.zeros(int(labels.max()) + 1, features.shape[1], dtype=features.dtype, device=features.device)
    means = sums.index_add(0, y, rest) / torch.bincount(y, minlength=len(sums)).clamp_min(1)[:, None]
    within = rest - means[y]
    covariance = within.T @ within / max(1, len(within))
    covariance += (_SHRINKAGE * covariance.trace() / len(covariance) + 1e-12) * torch.eye(
        len(covariance), dtype=covariance.dtype, device=covariance.device
    )
    return features @ torch.linalg.cholesky(torch.linalg.inv(covariance))


def _core(own: Tensor) -> Tensor:
    """(D,): the centre of the densest two fifths of a class."""
    centre = own.median(0).values
    for _ in range(_ROUNDS):
        distance = (own - centre).norm(dim=1)
        centre = own[distance <= distance.quantile(_CORE)].mean(0)
    return centre
