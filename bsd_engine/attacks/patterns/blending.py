"""Pixels blended with a pattern, rounded to the nearest level.

Some code bases truncate instead, which darkens only the poisoned images, by up to one level: a trace that no camera
leaves.
"""

from __future__ import annotations

from torch import Tensor


def to_uint8(images: Tensor) -> Tensor:
    """Float images as uint8: rounded, clipped to 0 ... 255."""
    return images.round_().clamp_(0, 255).byte()


def blend(images: Tensor, pattern: Tensor, weight: float | Tensor) -> Tensor:
    """(1 - weight) * images + weight * pattern, as uint8.

    Parameters
    ----------
    images : (B, C, H, W) uint8
    pattern : (C, H, W) float, in 0 ... 255
    weight : float, or (H, W) float
        0 leaves the image unchanged, 1 gives the pattern alone.
    """
    weight = weight if isinstance(weight, float) else weight.to(images.device)
    return to_uint8(images.float().lerp_(pattern.to(images.device), weight))
