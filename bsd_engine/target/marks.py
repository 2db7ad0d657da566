"""Marks: fine detail that a group of samples of one class carries at the same place, and other samples do not.

A residual of a class (`transplant`) is a picture of a trigger where there is one, but mixed with content. Each sample
is therefore compared with its fine grain alone: how much of the residual's it holds, in standard deviations over the
samples of all other classes. If a trigger is there, the samples of the class fall into two groups that are far apart,
and the difference between the groups is a better picture of the trigger, with which the step is repeated. No model and
no ground truth is involved. A warp, or a trigger that differs from sample to sample, leaves no mark.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bsd_engine.target.references import pixels_of
from bsd_engine.target.two_groups import two_groups

STANDS = 5.0
"""Separation at which a mark counts. In six development sets without a trigger, the largest of a group of `FEWEST`
samples is 3.6; the smallest of an additive trigger in nine with one is 6.5 (adaptive blend on CIFAR-10)."""
MOST_SEPARATION = 2 * STANDS
"""Larger separations count as this."""
FEWEST = 25
"""Samples of the smaller group that are needed. Small classes of traffic signs, a few drives past a few signs, have
groups of up to 14 that are as far apart as those of a trigger."""
_ROUNDS = 3
_FEWEST_CARRIERS, _SURE = 8, 0.8
_CHUNK = 2**24  # pixel values that are compared at a time


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The marks of C classes, as far as they have one."""

    separation: Tensor
    """(C,) float32: how far apart the two groups of each class are, see `TwoGroups`; 0 for small classes."""
    carriers: Tensor
    """(C,) float32: expected number of samples that carry the mark."""
    probability: Tensor
    """(N,) float32: that a sample carries the mark of its own class."""

    @property
    def stand(self) -> Tensor:
        """(C,) bool: classes whose groups are far enough apart and large enough."""
        return (self.separation >= STANDS) & (self.carriers >= FEWEST)

    @property
    def clue(self) -> Tensor:
        """(C,) float32: the separation where a mark stands, else 0; of several marks, rarer ones count for less.

        Noise samples carry a trigger in every class, but fewer in each than the target has.
        """
        carriers = torch.where(self.stand, self.carriers, 0.0)
        return self.separation.clamp_max(MOST_SEPARATION) * carriers / carriers.max().clamp_min(1)

    def or_clearer(self, other: Marks | None, labels: Tensor) -> Marks:
        """Of each class the clearer of two marks; `labels` (N,) are the given ones.

        Which residual shows a trigger best differs: for adaptive blend on CIFAR-10 it was that of the warm-up.
        """
        if other is None:
            return self
        mine, theirs = (torch.where(m.stand, m.separation, 0.0) for m in (self, other))
        takes = theirs > mine
        of_sample = takes[labels.cpu()]
        return Marks(
            separation=torch.where(takes, other.separation, self.separation),
            carriers=torch.where(takes, other.carriers, self.carriers),
            probability=torch.where(of_sample, other.probability, self.probability),
        )


def find_marks(images: Tensor, labels: Tensor, residuals: Tensor) -> tuple[Marks, Tensor]:
    """The marks of all classes, and their pictures: (C, H, W, K) int8, grey levels, carriers less the others.

    Parameters
    ----------
    images : (N, H, W, K) uint8
    labels : (N,) int64, the given labels
    residuals : (C, H, W, K), grey levels, see `Transplant.residuals`
    """
    pictures = residuals.float().permute(0, 3, 1, 2).to(images.device)
    groups = _grouped(images, labels, pictures)
    for _ in range(_ROUNDS - 1):
        sharper = [_sharper(images, group, picture) for group, picture in zip(groups, pictures, strict=True)]
        pictures = torch.stack(sharper)
        groups = _grouped(images, labels, pictures)
    probability = torch.zeros(len(labels))
    for group in groups:
        probability[group.samples.cpu()] = group.carries
    marks = Marks(
        separation=torch.tensor([group.separation for group in groups]),
        carriers=torch.stack([torch.minimum(group.carries.sum(), (1 - group.carries).sum()) for group in groups]),
        probability=probability,
    )
    return marks, pictures.round().clamp(-127, 127).to(torch.int8).permute(0, 2, 3, 1)


@dataclass(frozen=True, kw_only=True)
class _Group:
    """The n samples of a class, and how much of a picture each of them holds."""

    samples: Tensor
    """(n,) int64."""
    strength: Tensor
    """(n,) float32: standard deviations over the samples of other classes; larger in the group with the mark."""
    carries: Tensor
    """(n,) float32: probability of being in that group."""
    separation: float


def _grouped(images: Tensor, labels: Tensor, pictures: Tensor) -> list[_Group]:
    """The groups of each class by the pictures (C, K, H, W)."""
    held = _held(images, pictures)
    return [_group(held[:, c], labels == c) for c in range(len(pictures))]


def _held(images: Tensor, pictures: Tensor) -> Tensor:
    """(N, C) float32: how much of the fine grain of each picture (C, K, H, W) the grain of each image holds."""
    weights = _grain_of_grain(pictures).permute(0, 2, 3, 1).flatten(1).T
    flat = images.flatten(1)
    return torch.cat([part.float() @ weights for part in flat.split(max(1, _CHUNK // flat.shape[1]))])


def _grain(pictures: Tensor) -> Tensor:
    """The fine grain of pictures (C, K, H, W): what differs from the mean of 3x3 pixels."""
    return pictures - F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)


def _grain_of_grain(pictures: Tensor) -> Tensor:
    """w such that the product of w with an image is that of the grains of both; taking the grain is linear."""
    with torch.enable_grad():
        image = torch.zeros_like(pictures, requires_grad=True)
        (weights,) = torch.autograd.grad((_grain(image) * _grain(pictures)).sum(), image)
    return weights


def _group(held: Tensor, of_class: Tensor) -> _Group:
    """The two groups of a class. The mark is in the group that is farther from the samples of other classes."""
    samples, own, others = of_class.nonzero().squeeze(1), held[of_class].cpu(), held[~of_class].cpu()
    if len(own) < 2 * _FEWEST_CARRIERS or not len(others):
        return _Group(samples=samples, strength=torch.zeros_like(own), carries=torch.zeros_like(own), separation=0.0)
    middle = others.median()
    strength = (own - middle) / (1.4826 * (others - middle).abs().median()).clamp_min(1e-6)
    found = two_groups(strength)
    upper, is_upper = found.upper.float(), abs(found.means[1]) >= abs(found.means[0])
    return _Group(
        samples=samples,
        strength=strength if is_upper else -strength,
        carries=upper if is_upper else 1 - upper,
        separation=found.separation,
    )


def _sharper(images: Tensor, group: _Group, picture: Tensor) -> Tensor:
    """(K, H, W): mean of the samples that carry the mark less that of the others of the class.

    As long as there are no two groups, the fifth that holds most of the picture and the half that holds least.
    """
    carriers, others = group.carries > _SURE, group.carries < 1 - _SURE
    if min(int(carriers.sum()), int(others.sum())) < _FEWEST_CARRIERS:
        if len(group.samples) < 5 * _FEWEST_CARRIERS:
            return picture
        carriers = group.strength >= group.strength.quantile(0.8)
        others = group.strength <= group.strength.quantile(0.5)
    means = [pixels_of(images, group.samples[mask.to(group.samples.device)]).mean(0) for mask in (carriers, others)]
    return means[0] - means[1]
