"""Projected gradient descent (PGD) in the L-infinity ball, in grey levels: per image, or one perturbation for all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Loss = Callable[[Tensor], Tensor]
Gradient = Callable[[Tensor], Tensor]


def ascend(gradient: Gradient, delta: Tensor, *, eps: float, step: float, steps: int) -> Tensor:
    """The perturbation after `steps` steps along the sign of the gradient, each projected to |delta| <= eps.

    Parameters
    ----------
    gradient : callable
        From a perturbation to its gradient; same shape and device.
    delta : Tensor
        Start of the ascent.
    eps, step : float, grey levels
    steps : int
    """
    for _ in range(steps):
        delta = (delta + step * gradient(delta).sign()).clamp_(-eps, eps)
    return delta


def gradient(loss: Loss, images: Tensor, delta: Tensor) -> Tensor:
    """The gradient with respect to `delta` of the loss of images + delta, clipped to 0 ... 255.

    Parameters
    ----------
    loss : callable
        From (B, C, H, W) float32 images in 0 ... 255 to a scalar.
    images : (B, C, H, W) float32
    delta : (B, C, H, W) or (1, C, H, W) float32, grey levels
    """
    delta = delta.detach().requires_grad_()
    (result,) = torch.autograd.grad(loss((images + delta).clamp(0, 255)), delta)
    return result


def summed_gradient(loss: Loss, batches: Sequence[Tensor], delta: Tensor) -> Tensor:
    """(1, C, H, W) gradient of one perturbation for all batches, computed one batch at a time."""
    total = torch.zeros_like(delta)
    for images in batches:
        total += gradient(loss, images, delta)
    return total


def whole_levels(delta: Tensor, eps: float) -> Tensor:
    """The perturbation as int16: rounded to whole grey levels, none of them beyond eps."""
    return delta.detach().round().clamp_(-math.floor(eps), math.floor(eps)).to(torch.int16)


def add(images: Tensor, delta: Tensor) -> Tensor:
    """uint8 images plus a perturbation in whole grey levels, clipped to 0 ... 255."""
    return (images.short() + delta.to(images.device)).clamp_(0, 255).byte()
