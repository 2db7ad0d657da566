"""The residuals of one class, put onto images of the other classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from bsd_engine.target.references import References, foreign_looking, lowest_losses, pixels_of
from bsd_engine.target.residual import Moments, full, gentle

Predict = Callable[[Tensor], Tensor]
"""From images (B, K, H, W) float32, 0 to 255, to logits (B, C)."""


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """What the residuals of one class do to P probed images; see `Transplant`."""

    called: Tensor
    """(2, P) int64: what the images are called under the residual of the foreign-looking samples and under the full
    one."""
    residual: Tensor
    """(K, H, W) float32."""
    apart: Tensor
    """()."""
    withdrawn: Tensor
    """()."""
    by_source: Tensor | None = None
    """(C,): shares under `apart` by source class; only where `residual` is the difference between the two kinds."""


class ClassTrial:
    """Images to put residuals onto, and the samples that the residuals are computed from.

    Parameters
    ----------
    images : (N, H, W, K) uint8
    odd : (N,) bool, the samples of the smaller kind of their class, see `two_kinds`
    probe_idx : (P,) int64, the probed images
    source : (P,) int64, their classes
    """

    def __init__(
        self,
        predict: Predict,
        images: Tensor,
        references: References,
        odd: Tensor,
        probe_idx: Tensor,
        source: Tensor,
        num_classes: int,
    ) -> None:
        self.predict, self.images, self.references, self.odd = predict, images, references, odd
        self.pixels, self.source, self.num_classes = pixels_of(images, probe_idx), source, num_classes
        self.spread = self.pixels.std()

    def of(self, c: int, ranked: Tensor) -> ClassResult:
        """Try all residuals of class c, given its samples with the lowest loss first."""
        if len(ranked) < 2:
            return self._nothing(ranked.device)
        lowest, foreign = lowest_losses(ranked), foreign_looking(ranked, self.references.likeness[ranked])
        strangers = pixels_of(self.images, foreign)
        residual = strangers.mean(0) - self.references.of(foreign).mean(0)
        strong = full(Moments.of(pixels_of(self.images, lowest)), Moments.of(self.references.of(lowest)), self.spread)
        odd, ways = ranked[self.odd[ranked]], self._ways(ranked)
        shown = [
            gentle(residual, self.spread).onto(self.pixels),
            strong.onto(self.pixels),
            (strangers - residual).clamp(0, 255),
            *(full(*way, self.spread).onto(self.pixels[i::2]) for i, way in enumerate(ways)),
        ]
        called = self.predict(torch.cat(shown)).argmax(1).split([len(images) for images in shown])
        share, between, by_source = self._more_followed(c, ways, called[3:])
        result = ClassResult(
            called=torch.stack(called[:2]),
            residual=residual,
            apart=share,
            withdrawn=_dispersal(called[2], c, self.num_classes),
        )
        # If the odd samples look like their own class, no sample with a trigger looks foreign.
        of_its_class = self.references.likeness[odd].mean() > 0.5
        if of_its_class and share > (called[0] == c).float().mean():
            return replace(result, residual=between, by_source=by_source)
        return result

    def _nothing(self, device: torch.device) -> ClassResult:
        """The result for a class with fewer than two samples: no image follows."""
        zero = torch.zeros((), device=device)
        return ClassResult(
            called=torch.full((2, len(self.source)), -1, device=device),
            apart=zero,
            withdrawn=zero,
            residual=torch.zeros_like(self.pixels[0]),
        )

    def _ways(self, ranked: Tensor) -> list[tuple[Moments, Moments]]:
        """The two kinds of a class in both orders: the chosen kind and its reference. Empty for a class of one kind."""
        odd = self.odd[ranked]
        if not odd.any():
            return []
        first = Moments.of(pixels_of(self.images, ranked[odd]))
        second = Moments.of(pixels_of(self.images, ranked[~odd]))
        return [(first, second), (second, first)]

    def _more_followed(
        self, c: int, ways: list[tuple[Moments, Moments]], called: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The way that more images follow: their share, the difference (K, H, W) and the shares (C,) by source."""
        results = [(torch.zeros((), device=self.source.device), torch.zeros_like(self.pixels[0]), torch.zeros(0))]
        for i, ((chosen, reference), labels) in enumerate(zip(ways, called)):
            source = self.source[i::2]
            follows, of_source = (labels == c) & (source != c), F.one_hot(source, self.num_classes).float()
            share = follows.sum() / (source != c).sum().clamp_min(1)
            by_source = follows.float() @ of_source / of_source.sum(0).clamp_min(1)
            results.append((share, chosen.mean - reference.mean, by_source))
        return max(results, key=lambda result: result[0])


def _dispersal(called: Tensor, c: int, num_classes: int) -> Tensor:
    """(): effective number of classes other than c that samples are called, times the share that is called such."""
    counts = torch.bincount(called, minlength=num_classes).float()
    counts[c] = 0
    return counts.sum() ** 3 / (counts**2).sum().clamp_min(1e-9) / len(called)
