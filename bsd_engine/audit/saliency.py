"""The pixels of an image that speak for its label, by integrated gradients.

Written with torch alone: Captum 0.9 would bring matplotlib and six other packages for these ten lines.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from bsd_engine.compute.augment import Normalizer

_VALUES_AT_ONCE = 500_000
"""Pixel values of the images that are looked at together: all 32 of 32x32 pixels, three of 224x224, whose gradients
take the memory of as many images in training."""


def saliency(model: nn.Module, normalize: Normalizer, image: np.ndarray, label: int, *, steps: int = 32) -> np.ndarray:
    """(H, W) float32: how much each pixel speaks for a label, by integrated gradients from a mid-grey image.

    Parameters
    ----------
    image : (C, H, W) uint8
    label : its given label
    steps : points on the path from grey to the image

    The gradient of the label's logit minus the mean of the others is averaged along the path, multiplied by the path
    and summed over the channels, so all pixels add up to what the image gains over grey. Positive speaks for the label.
    """
    picture = torch.from_numpy(np.array(image)).float()[None]
    grey = torch.full_like(picture, 127.5)
    path = (torch.arange(steps) + 0.5).view(-1, 1, 1, 1) / steps
    gradient = torch.zeros_like(picture[0])
    for part in path.split(max(1, _VALUES_AT_ONCE // picture.numel())):
        points = (grey + part * (picture - grey)).requires_grad_(True)
        with torch.enable_grad():
            logits = model(normalize(points))
            others = (logits.sum(1) - logits[:, label]) / max(1, logits.shape[1] - 1)
            (logits[:, label] - others).sum().backward()
        assert points.grad is not None, "backward() fills the gradient of a leaf"
        gradient += points.grad.sum(0) / steps
    return ((picture - grey)[0] * gradient).sum(0).numpy()
