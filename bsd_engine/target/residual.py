"""Changes that can be put onto images: a residual, or the change from one group of images to another, with contrast."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

STRENGTH = 0.25
"""Root mean square of the residuals with which classes are compared, in standard deviations of the pixels. Blended at
opacity 0.1 and a 4x4 patch have about this strength."""
MOST_GAIN = 2.5
"""A residual is amplified at most by this factor."""


@dataclass(frozen=True, kw_only=True)
class Graft:
    """The change x -> contrast x + offset; both are (K, H, W) or broadcast to it."""

    contrast: Tensor
    offset: Tensor

    def onto(self, images: Tensor) -> Tensor:
        """(B, K, H, W) float32, 0 to 255: the images with the change."""
        return (self.contrast * images + self.offset).clamp(0, 255)


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Mean and variance of some images, pixel by pixel."""

    mean: Tensor
    """(K, H, W)."""
    variance: Tensor
    """(1, H, W): over the images, averaged over colours and 3x3 pixels; 4 is added so that constant pixels have ratio
    1."""

    @classmethod
    def of(cls, images: Tensor) -> Moments:
        """The moments of images (B, K, H, W). Matrix products take a tenth of the time of `Tensor.var` over the first
        dimension."""
        flat, each = images.flatten(1), images.new_full((1, len(images)), 1 / len(images))
        mean = each @ flat
        variance = (each @ (flat - mean).square()).reshape(images.shape[1:]).mean(0, keepdim=True)
        return cls(
            mean=mean.reshape(images.shape[1:]),
            variance=F.avg_pool2d(variance[None] + 4, 3, 1, 1, count_include_pad=False)[0],
        )


def _gain(residual: Tensor, spread: Tensor) -> float:
    """The factor that scales a residual to `STRENGTH`, at most `MOST_GAIN`."""
    return min(MOST_GAIN, float(STRENGTH * spread / residual.pow(2).mean().sqrt().clamp_min(1e-6)))


def gentle(residual: Tensor, spread: Tensor) -> Graft:
    """A residual (K, H, W) scaled to `STRENGTH`; `spread` is the standard deviation of the pixels."""
    return Graft(contrast=residual.new_ones(()), offset=_gain(residual, spread) * residual)


def full(chosen: Moments, reference: Moments, spread: Tensor) -> Graft:
    """The change from reference images to chosen ones, at its own strength but at least at `STRENGTH`.

    It moves the mean of each pixel and, where the standard deviation of the chosen is clearly lower, reduces the
    contrast.
    """
    residual = chosen.mean - reference.mean
    ratio = (chosen.variance / reference.variance).sqrt().clamp(0, 1)
    ratio = torch.where(ratio > 0.85, 1.0, ratio)  # with 64 samples, the error of a ratio is about a tenth
    gain = max(1.0, _gain(residual, spread))
    contrast = (1 + gain * (ratio - 1)).clamp(0, 1)
    return Graft(contrast=contrast, offset=gain * residual + (1 - contrast) * reference.mean)
