"""Residuals of each class, put onto images of other classes: does the altruistic model follow?

A backdoor is an input change that leads to the target from every class. Where there is a trigger, the samples of a
class that are learned best carry it. Their mean, less the mean of images of like content, is then a picture of the
trigger. Neither the ground truth nor clean data are needed, and the network only runs forward.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bsd_engine.target.class_trial import ClassResult, ClassTrial, Predict
from bsd_engine.target.references import References, pixels_of, ranked_by_loss
from bsd_engine.target.two_kinds import two_kinds
from bsd_engine.target.warps import sampled, sampling_grid, smooth_shifts

FEWEST_PROBES, MOST_PROBES = 40, 150
"""Images that the residuals of each class are tried on."""
FORWARD_BUDGET = 0.03
"""Share of the passes of the altruistic warm-up that probing may cost; a forward and a backward pass count as three
forward passes."""
WARP, WARP_POINTS, WARP_PROBES = 1.0, 4, 300
"""Strength of the random warps (twice that of WaNet in the paper), control points a side, and warped images; these
serve all classes."""
GOES = 0.4
"""Share of a source class that must go to one other class to count as sent there."""


@dataclass(frozen=True, kw_only=True)
class Transplant:
    """Result for C classes. Shares are of the probed images of other classes that are called c."""

    foreign: Tensor
    """(C,) float32: share under the residual of the samples of c that look like other classes, scaled to
    `residual.STRENGTH`."""
    full: Tensor
    """(C,) float32: share under the residual of the samples of c with the lowest losses, at its own strength, but at
    least `residual.STRENGTH`, and with its contrast."""
    apart: Tensor
    """(C,) float32: share under the difference between the two kinds of samples of c (`two_kinds`), with its contrast.
    Every other image gets the pattern of the odd kind, the rest its negative; this is the larger of both shares."""
    separation: Tensor
    """(C,) float32: how far apart these two kinds lie, in standard deviations within them."""
    warped: Tensor
    """(C,) float32: share of images of other classes that are called c when each is warped smoothly at random."""
    withdrawn: Tensor
    """(C,) float32: how many classes the foreign-looking samples of c are called once their residual is subtracted from
    them: the effective number, times the share that is no longer called c."""
    by_source: Tensor
    """(C, C) float32: `full` of row c by the class that the probed images come from, or `apart` where `residuals` shows
    that; 0 in the diagonal and where no image of a class is probed."""
    by_warp: Tensor
    """(C, C) float32: `warped` in the same way."""
    destinations: Tensor
    """(C,) int64: how many classes receive at least `GOES` of some other class under the full residual of c; 0 where
    fewer than three images of a class are probed."""
    residuals: Tensor
    """(C, H, W, K) int8, grey levels: the trigger where there is one. It is the residual of the foreign-looking
    samples, or the difference between the two kinds where the odd ones look like their class and more images follow
    that."""

    @property
    def shares(self) -> dict[str, Tensor]:
        """(C,) each: the shares of images that follow a residual of one kind."""
        return {"foreign": self.foreign, "full": self.full}


def probes_for(num_samples: int, num_classes: int, epochs: int) -> int:
    """How many images the residuals of each class are tried on, as the budget allows; at least `FEWEST_PROBES`."""
    return min(MOST_PROBES, max(FEWEST_PROBES, int(FORWARD_BUDGET * 3 * epochs * num_samples / (3 * num_classes))))


def transplant(
    predict: Predict,
    images: Tensor,
    labels: Tensor,
    logits: Tensor,
    probes: int,
    generator: torch.Generator,
    trust: Tensor | None = None,
) -> Transplant:
    """Try the residuals of each class on images of all other classes.

    Parameters
    ----------
    predict : the altruistic model
    images : (N, H, W, K) uint8
    labels : (N,) int64, the given labels
    logits : (N, C) of the altruistic model for these images
    probes : images that each residual is tried on
    trust : (N,) float, smallest for the samples that are looked at first for a trigger; their cross-entropy when not
        given. Once there is a main model f, the altruistic loss less that of f.

    Notes
    -----
    References are 2,000 samples that are learned worse than the median of their class. The residual of a set of samples
    S is r = mean(S) - mean(the five references most like each of them), by 8x8 thumbnails. The content of S cancels, be
    it of class c or, under a dirty-label attack, of all the classes that the poisoned samples were taken from. S is the
    tenth of class c with the lowest cross-entropy, at most 64 samples, or as many of those whose references belong to
    other classes, at least four of five: among these nearly all are poisoned where content can be told by pixels, and
    few natural samples are among them. An attack that blends, (1 - w) x + w p, lowers the contrast as well, so the full
    residual scales each pixel by the ratio of the standard deviations of S and of its references.

    A clean-label trigger lies on samples that look like their own class, and on so many of them that it cancels. There
    the odd kind of the class takes the place of S, and the other kind that of the references.

    A warp has no residual, since it differs from image to image. But the features that a network learns from a warp are
    common to all warps, first of all that any interpolation smooths away the grain. So images are also warped smoothly
    at random, whatever their class.

    For a class with fewer than two samples everything is 0.
    """
    num_classes = logits.shape[1]
    losses = F.cross_entropy(logits.float(), labels, reduction="none") if trust is None else trust
    references = References(images, labels, losses, generator)
    probe_idx = _probe_idx(labels, logits, probes, generator)
    kinds = two_kinds(images, labels, losses, num_classes, generator)
    trial = ClassTrial(
        predict, images, references, kinds.odd.to(labels.device), probe_idx, labels[probe_idx], num_classes
    )
    results = [trial.of(c, ranked_by_loss(labels, losses, c)) for c in range(num_classes)]
    warp_idx = _probe_idx(labels, logits, WARP_PROBES, generator)
    called = predict(_warped(pixels_of(images, warp_idx), generator)).argmax(1)
    few = torch.bincount(labels, minlength=num_classes) < 2
    (warped,), (by_warp,) = _followed(
        torch.where(few[called], -1, called).expand(1, num_classes, -1), labels[warp_idx], num_classes
    )
    return _summed(
        results, labels[probe_idx], separation=kinds.separation.to(labels.device), warped=warped, by_warp=by_warp
    )


def _warped(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """The images (B, K, H, W), each warped along a field of its own."""
    control = 2 * torch.rand(len(pixels), 2, WARP_POINTS, WARP_POINTS, generator=generator) - 1
    return sampled(
        pixels, sampling_grid(smooth_shifts(control, (pixels.shape[2], pixels.shape[3]), WARP)).to(pixels.device)
    )


def _probe_idx(labels: Tensor, logits: Tensor, probes: int, generator: torch.Generator) -> Tensor:
    """(P,) int64: images that the model calls by their label, equally many of each class as far as possible."""
    order = torch.randperm(len(labels), generator=generator).to(labels.device)
    order = order[(logits.argmax(1) == labels)[order]]
    if len(order) == 0:
        order = torch.arange(len(labels), device=labels.device)
    rank = torch.zeros_like(order)
    for c in range(logits.shape[1]):
        of_class = labels[order] == c
        rank[of_class] = torch.arange(int(of_class.sum()), device=labels.device)
    return order[rank.argsort(stable=True)[:probes]]


def _summed(results: list[ClassResult], source: Tensor, **known: Tensor) -> Transplant:
    """The result for all classes, from those of each class and what is known already."""
    called = torch.stack([one.called for one in results], 1)
    (foreign, full), (_, by_source) = _followed(called, source, len(results))
    for c, one in enumerate(results):
        if one.by_source is not None:
            by_source[c] = one.by_source
    return Transplant(
        **known,
        foreign=foreign,
        full=full,
        apart=torch.stack([one.apart for one in results]),
        withdrawn=torch.stack([one.withdrawn for one in results]),
        by_source=by_source,
        destinations=_destinations(called[1], F.one_hot(source, len(results)).float()),
        residuals=torch.stack(
            [one.residual.round().clamp(-127, 127).to(torch.int8).permute(1, 2, 0) for one in results]
        ),
    )


def _followed(called: Tensor, source: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Shares of images of other classes that are called c: (S, C), and (S, C, C) by source class.

    Parameters
    ----------
    called : (S, C, P), what the images are called in row c
    source : (P,), the classes of the images
    """
    c, of_source = torch.arange(num_classes, device=source.device)[:, None], F.one_hot(source, num_classes).float()
    follows = ((called == c) & (source != c)).float()
    return follows.sum(2) / (source != c).sum(1).clamp_min(1), follows @ of_source / of_source.sum(0).clamp_min(1)


def _destinations(called: Tensor, of_source: Tensor) -> Tensor:
    """(C,) int64: see `Transplant.destinations`.

    Parameters
    ----------
    called : (C, P), what the images are called under each full residual
    of_source : (P, C), the classes of the images, one-hot
    """
    num_classes, count = of_source.shape[1], of_source.sum(0)
    if count.min() < 3:
        return torch.zeros(len(called), dtype=torch.int64, device=called.device)
    goes = torch.stack(
        [of_source.T @ F.one_hot(row.clamp_min(0), num_classes).float() / count[:, None] for row in called]
    )
    goes.diagonal(dim1=1, dim2=2).zero_()
    return (goes.amax(1) >= GOES).sum(1)
