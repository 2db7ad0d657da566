"""What sets some samples of a class apart, put onto images of other classes: does the altruistic model follow?

A backdoor is an input change that leads to the target from everywhere. The best learned samples of a class hold the trigger
where there is one, so their mean, less the mean of images with a like content, is a picture of it. Neither the truth nor
clean data are needed, and the network is asked forward only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from bsd_engine.target.residual import Moments, full, gentle
from bsd_engine.target.thumbnails import thumbnails
from bsd_engine.target.two_kinds import two_kinds
from bsd_engine.target.warps import sampled, sampling_grid, smooth_shifts

Predict = Callable[[Tensor], Tensor]
"""From images (B, K, H, W) float32, 0 to 255, to logits (B, C)."""

LOWEST_SHARE, FEWEST_SAMPLES, MOST_SAMPLES = 0.1, 10, 64
"""Of a class: the samples with the lowest loss, which are taken for carriers of a trigger."""
REFERENCES, NEIGHBOURS, THUMBNAIL = 2000, 5, 8
FEWEST_PROBES, MOST_PROBES = 40, 150
FORWARD_BUDGET = 0.03
"""Share of the altruistic warm-up's passes (a forward and a backward count as three forwards) that probing may cost."""
WARP, WARP_POINTS, WARP_PROBES = 1.0, 4, 300
"""Strength of the random warps, twice the paper's WaNet, control points a side, and images that are warped, once for all classes."""
GOES = 0.4
"""Share of a source class that must go to one other class to count as sent there."""


@dataclass(frozen=True, kw_only=True)
class Transplant:
    """Result for C classes."""

    foreign: Tensor
    """(C,) float32: share of the probed images of other classes that are called c under the residual of the samples of c that look
    like other classes, brought to `graft.STRENGTH`."""
    full: Tensor
    """(C,) float32: the same with the lowest losses of c, at the residual's own strength, `graft.STRENGTH` at least, and with its contrast."""
    apart: Tensor
    """(C,) float32: share that follows what tells the two kinds of samples of c apart (`two_kinds`), with its contrast: the odd kind's
    pattern on every other probed image, its negative on the rest; the larger of both shares."""
    separation: Tensor
    """(C,) float32: how far apart these two kinds lie, in standard deviations within them."""
    warped: Tensor
    """(C,) float32: share of images of other classes that are called c when each is warped smoothly at random."""
    withdrawn: Tensor
    """(C,) float32: how many classes (effective number, times the share that moves) those foreign-looking samples are called
    when their residual is taken off them."""
    by_source: Tensor
    """(C, C) float32: `full`, row c, by the class that the probed images come from, or `apart` where `residuals` shows that; 0 in the
    diagonal and without probes."""
    by_warp: Tensor
    """(C, C) float32: `warped` in the same way."""
    destinations: Tensor
    """(C,) int64: under the full residual of c, how many classes receive at least `GOES` of some other class; 0 where fewer
    than three images of a class are probed."""
    residuals: Tensor
    """(C, H, W, K) int8, grey levels: of the foreign-looking samples as found, or between the two kinds where the odd ones look like
    their class and more images follow that; the trigger where there is one."""

    @property
    def shares(self) -> dict[str, Tensor]:
        """(C,) each: shares of images that follow a residual."""
        return {"foreign": self.foreign, "full": self.full}


def probes_for(num_samples: int, num_classes: int, epochs: int) -> int:
    """How many images each class's residuals are tried on: what the budget allows, `FEWEST_PROBES` at least."""
    return min(MOST_PROBES, max(FEWEST_PROBES, int(FORWARD_BUDGET * 3 * epochs * num_samples / (3 * num_classes))))


def transplant(
    predict: Predict, images: Tensor, labels: Tensor, logits: Tensor, probes: int, generator: torch.Generator
) -> Transplant:
    """Try each class's residuals on images of all other classes.

    Parameters
    ----------
    images : (N, H, W, K) uint8
    labels : (N,) int64, the given labels
    logits : (N, C) of the altruistic model for these images
    probes : images that each residual is tried on

    Notes
    -----
    References are 2,000 samples that are learned worse than the median of their class. The residual of some samples S is
    r = mean(S) - mean(the five references most like each), by 8x8 thumbnails; what S shows cancels, be it of class c or,
    under a dirty-label attack, of all the classes that the poison was taken from. S is the tenth of class c with the lowest
    cross-entropy (64 at most), or as many of those whose references are of other classes, four of five at least: there poison is
    nearly pure where content can be told by pixels, and few natural samples are. An attack that blends, (1 - w) x + w p,
    lowers the contrast as well, so the full residual scales each pixel by the ratio of standard deviations between S
    and its references.

    A clean-label trigger lies on samples that look like their own class, and on so many of them that it cancels; there the odd kind
    of the class takes the place of S, and the other kind that of the references.

    A warp has no residual: it differs from image to image. But what a network learns of it, first of all the grain that any
    interpolation smooths away, other warps share, so every image is also warped, smoothly and at random, without looking at any class.

    Of a class with fewer than two samples everything is 0.
    """
    num_classes, losses = logits.shape[1], F.cross_entropy(logits.float(), labels, reduction="none")
    references = _References(images, labels, losses, generator)
    probe_idx = _probe_idx(labels, logits, probes, generator)
    kinds = two_kinds(images, labels, losses, num_classes, generator)
    trial = _Trial(predict, images, references, kinds.odd.to(labels.device), probe_idx, labels[probe_idx], num_classes)
    found = [trial.of(c, _ranked(labels, losses, c)) for c in range(num_classes)]
    warp_idx = _probe_idx(labels, logits, WARP_PROBES, generator)
    called = predict(_warped(_pixels(images, warp_idx), generator)).argmax(1)
    few = torch.bincount(labels, minlength=num_classes) < 2
    (warped,), (by_warp,) = _followed(
        torch.where(few[called], -1, called).expand(1, num_classes, -1), labels[warp_idx], num_classes
    )
    return _summed(
        found, labels[probe_idx], separation=kinds.separation.to(labels.device), warped=warped, by_warp=by_warp
    )


@dataclass(frozen=True, kw_only=True)
class _OfClass:
    """What the residuals of one class do; called is (2, P) int64, under `foreign` and `full`, the rest as in `Transplant`."""

    called: Tensor
    residual: Tensor
    apart: Tensor
    withdrawn: Tensor
    by_source: Tensor | None = None
    """(C,), where the two kinds are shown instead of `full`."""


class _Trial:
    """Images that residuals are put onto, and what these are made from."""

    def __init__(
        self,
        predict: Predict,
        images: Tensor,
        references: _References,
        odd: Tensor,
        probe_idx: Tensor,
        source: Tensor,
        num_classes: int,
    ) -> None:
        self.predict, self.images, self.references, self.odd = predict, images, references, odd
        self.pixels, self.source, self.num_classes = _pixels(images, probe_idx), source, num_classes
        self.spread = self.pixels.std()

    def of(self, c: int, ranked: Tensor) -> _OfClass:
        """All residuals of a class, whose samples are given lowest loss first."""
        if len(ranked) < 2:
            nothing = torch.zeros((), device=ranked.device)
            return _OfClass(
                called=torch.full((2, len(self.source)), -1, device=ranked.device),
                apart=nothing,
                withdrawn=nothing,
                residual=torch.zeros_like(self.pixels[0]),
            )
        lowest, foreign = ranked[: _carriers(len(ranked))], _foreign(ranked, self.references.likeness[ranked])
        stranger = _pixels(self.images, foreign)
        residual = stranger.mean(0) - self.references.of(foreign).mean(0)
        strong = full(Moments.of(_pixels(self.images, lowest)), Moments.of(self.references.of(lowest)), self.spread)
        odd, ways = ranked[self.odd[ranked]], self._ways(ranked)
        shown = [
            gentle(residual, self.spread).onto(self.pixels),
            strong.onto(self.pixels),
            (stranger - residual).clamp(0, 255),
            *(full(*way, self.spread).onto(self.pixels[i::2]) for i, way in enumerate(ways)),
        ]
        called = self.predict(torch.cat(shown)).argmax(1).split([len(images) for images in shown])
        share, between, by_source = self._more_followed(c, ways, called[3:])
        found = _OfClass(
            called=torch.stack(called[:2]),
            residual=residual,
            apart=share,
            withdrawn=_dispersal(called[2], c, self.num_classes),
        )
        of_its_class = self.references.likeness[odd].mean() > 0.5  # so that no sample of a trigger looks foreign
        if of_its_class and share > (called[0] == c).float().mean():
            return replace(found, residual=between, by_source=by_source)
        return found

    def _ways(self, ranked: Tensor) -> list[tuple[Moments, Moments]]:
        """The two kinds of a class, each once as what is chosen and once as what it is compared with; none of a class without."""
        odd = self.odd[ranked]
        if not odd.any():
            return []
        first, second = Moments.of(_pixels(self.images, ranked[odd])), Moments.of(_pixels(self.images, ranked[~odd]))
        return [(first, second), (second, first)]

    def _more_followed(
        self, c: int, ways: list[tuple[Moments, Moments]], called: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of both ways that which more images follow: their share, (K, H, W) the difference, (C,) shares by source."""
        found = [(torch.zeros((), device=self.source.device), torch.zeros_like(self.pixels[0]), torch.zeros(0))]
        for i, ((chosen, reference), labels) in enumerate(zip(ways, called)):
            source = self.source[i::2]
            follows, of_source = (labels == c) & (source != c), F.one_hot(source, self.num_classes).float()
            share = follows.sum() / (source != c).sum().clamp_min(1)
            found.append(
                (share, chosen.mean - reference.mean, follows.float() @ of_source / of_source.sum(0).clamp_min(1))
            )
        return max(found, key=lambda way: way[0])


def _pixels(images: Tensor, idx: Tensor) -> Tensor:
    """(B, K, H, W) float32 of some of the (N, H, W, K) images, where the indices are."""
    return images[idx.to(images.device)].to(idx.device).permute(0, 3, 1, 2).float()


def _warped(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """The images (B, K, H, W), each along a field of its own."""
    control = 2 * torch.rand(len(pixels), 2, WARP_POINTS, WARP_POINTS, generator=generator) - 1
    return sampled(pixels, sampling_grid(smooth_shifts(control, pixels.shape[2:], WARP)).to(pixels.device))


def _ranked(labels: Tensor, losses: Tensor, c: int) -> Tensor:
    """Samples of a class, lowest loss first; among equals the lower index first."""
    idx = (labels == c).nonzero().squeeze(1)
    return idx[losses[idx].argsort(stable=True)]


def _carriers(size: int) -> int:
    """How many samples of a class of a size are taken for carriers."""
    return min(MOST_SAMPLES, max(FEWEST_SAMPLES, int(LOWEST_SHARE * size)))


def _foreign(ranked: Tensor, likeness: Tensor) -> Tensor:
    """The lowest losses among the samples that look like other classes, half of these at most; the least like their own where few do.

    `likeness` is the share of each sample's references that have its label.
    """
    foreign = ranked[likeness <= 1 / NEIGHBOURS + 1e-6]
    if len(foreign) < FEWEST_SAMPLES:
        return ranked[likeness.argsort(stable=True)][:FEWEST_SAMPLES]
    return foreign[: max(FEWEST_SAMPLES, min(_carriers(len(ranked)), len(foreign) // 2))]


def _probe_idx(labels: Tensor, logits: Tensor, probes: int, generator: torch.Generator) -> Tensor:
    """(P,) int64: images that the model calls by their label, as many of each class as `probes` allow."""
    order = torch.randperm(len(labels), generator=generator).to(labels.device)
    order = order[(logits.argmax(1) == labels)[order]]
    if len(order) == 0:
        order = torch.arange(len(labels), device=labels.device)
    rank = torch.zeros_like(order)
    for c in range(logits.shape[1]):
        own = labels[order] == c
        rank[own] = torch.arange(int(own.sum()), device=labels.device)
    return order[rank.argsort(stable=True)[:probes]]


class _References:
    """Samples that g has learned worse than the median of their class, and which of them look like given ones."""

    def __init__(self, images: Tensor, labels: Tensor, losses: Tensor, generator: torch.Generator) -> None:
        self.images = images
        harder = torch.zeros_like(labels, dtype=torch.bool)
        for c in torch.unique(labels).tolist():
            ranked = _ranked(labels, losses, c)
            harder[ranked[len(ranked) // 2 :]] = True
        idx = harder.nonzero().squeeze(1)
        self.idx = idx[torch.randperm(len(idx), generator=generator).to(idx.device)[:REFERENCES]]
        everything, small = (
            torch.arange(len(labels), device=labels.device),
            thumbnails(images, THUMBNAIL, labels.device),
        )
        self.nearest = torch.cat([self._nearest(part, small) for part in everything.split(256)])
        self.likeness = (labels[self.nearest] == labels[:, None]).float().mean(1)

    def _nearest(self, idx: Tensor, small: Tensor) -> Tensor:
        """(B, 5) int64: the references most like each sample, itself left out."""
        distances = torch.cdist(small[idx], small[self.idx])
        distances[idx[:, None] == self.idx] = torch.inf
        return self.idx[distances.topk(min(NEIGHBOURS, len(self.idx)), largest=False).indices]

    def of(self, idx: Tensor) -> Tensor:
        """(5 B, K, H, W) pixels of the references of B samples."""
        return _pixels(self.images, self.nearest[idx].flatten())


def _dispersal(called: Tensor, c: int, num_classes: int) -> Tensor:
    """(): effective number of classes, other than c, that samples are called, times the share of them that is."""
    counts = torch.bincount(called, minlength=num_classes).float()
    counts[c] = 0
    return counts.sum() ** 3 / (counts**2).sum().clamp_min(1e-9) / len(called)


def _summed(found: list[_OfClass], source: Tensor, **known: Tensor) -> Transplant:
    """The result from what was found for each class, and what is known already."""
    called = torch.stack([one.called for one in found], 1)
    (foreign, full), (_, by_source) = _followed(called, source, len(found))
    for c, one in enumerate(found):
        if one.by_source is not None:
            by_source[c] = one.by_source
    return Transplant(
        **known,
        foreign=foreign,
        full=full,
        apart=torch.stack([one.apart for one in found]),
        withdrawn=torch.stack([one.withdrawn for one in found]),
        by_source=by_source,
        destinations=_destinations(called[1], F.one_hot(source, len(found)).float()),
        residuals=torch.stack([one.residual.round().clamp(-127, 127).to(torch.int8).permute(1, 2, 0) for one in found]),
    )


def _followed(called: Tensor, source: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """(S, C) and (S, C, C), by source: shares of images of other classes that are called c in row c of (S, C, P) calls."""
    own, of_source = torch.arange(num_classes, device=source.device)[:, None], F.one_hot(source, num_classes).float()
    follows = ((called == own) & (source != own)).float()
    return follows.sum(2) / (source != own).sum(1).clamp_min(1), follows @ of_source / of_source.sum(0).clamp_min(1)


def _destinations(called: Tensor, of_source: Tensor) -> Tensor:
    """(C,) int64 from the calls (C, P) under each full residual and the sources (P, C), one-hot."""
    num_classes, count = of_source.shape[1], of_source.sum(0)
    if count.min() < 3:
        return torch.zeros(len(called), dtype=torch.int64, device=called.device)
    goes = torch.stack(
        [of_source.T @ F.one_hot(row.clamp_min(0), num_classes).float() / count[:, None] for row in called]
    )
    goes.diagonal(dim1=1, dim2=2).zero_()
    return (goes.amax(1) >= GOES).sum(1)
