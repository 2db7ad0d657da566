"""Projected gradient descent in the L-infinity ball, in grey levels: for each image, or one perturbation for all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Loss = Callable[[Tensor], Tensor]
Gradient = Callable[[Tensor], Tensor]


def ascend(gradient: Gradient, delta: Tensor, *, eps: float, step: float, steps: int) -> Tensor:
    """Perturbation after so many steps along the sign of the gradient, each followed by a projection to |delta| <= eps.

    Parameters
    ----------
    gradient : callable
        Of a perturbation; same shape and device.
    delta : Tensor
        Where to start.
    eps, step : float, grey levels
    steps : int
    """
    for _ in range(steps):
        delta = (delta + step * gradient(delta).sign()).clamp_(-eps, eps)
    return delta


def gradient(loss: Loss, images: Tensor, delta: Tensor) -> Tensor:
    """Gradient for `delta` of the loss of the images with it, kept within 0 ... 255.

    Parameters
    ----------
    loss : callable
        Of (B, C, H, W) float32 images in 0 ... 255; a scalar.
    images : (B, C, H, W) float32
    delta : (B, C, H, W) or (1, C, H, W) float32, grey levels
    """
    delta = delta.detach().requires_grad_()
    (found,) = torch.autograd.grad(loss((images + delta).clamp(0, 255)), delta)
    return found


def summed_gradient(loss: Loss, batches: Sequence[Tensor], delta: Tensor) -> Tensor:
    """Gradient for one perturbation (1, C, H, W) of all batches, one of them in memory at a time."""
    return sum(gradient(loss, images, delta) for images in batches)


def whole_levels(delta: Tensor, eps: float) -> Tensor:
    """int16 perturbation, rounded to whole grey levels, of which none is beyond eps."""
    return delta.detach().round().clamp_(-math.floor(eps), math.floor(eps)).to(torch.int16)


def add(images: Tensor, delta: Tensor) -> Tensor:
    """uint8 images plus whole levels, kept within 0 ... 255."""
    return (images.short() + delta.to(images.device)).clamp_(0, 255).byte()
