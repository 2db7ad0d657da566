"""Any trigger moved across the image and faded, and a trigger that was drawn pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from bsd_engine.attacks.patterns.blending import blend
from bsd_engine.errors import DataError

Change = Callable[[Tensor], Tensor]
"""From (B, C, H, W) uint8 images to the images with a trigger; may work in place."""


def placed(images: Tensor, change: Change, *, down: int = 0, across: int = 0, opacity: float = 1.0) -> Tensor:
    """Images with a trigger that is moved and faded; the input is not changed.

    Parameters
    ----------
    images : (B, C, H, W) uint8
    change : adds the trigger at its own position
    down, across : pixels by which it is moved from there; what leaves the image is cut off
    opacity : 0 to 1, weight of the triggered image against the clean one

    Returns
    -------
    (B, C, H, W) uint8

    The image is moved the other way, changed and moved back. This is right for every attack: a patch covers the pixels
    at its new position, and a warp bends those pixels.
    """
    triggered = _moved(images, change, down, across) if down or across else change(images.clone())
    return blend(images, triggered.float(), float(opacity))


def _moved(images: Tensor, change: Change, down: int, across: int) -> Tensor:
    rolled = change(images.roll((-down, -across), (2, 3)).contiguous()).roll((down, across), (2, 3))
    rows, cols = (_inside(size, by) for size, by in zip(images.shape[2:], (down, across)))
    moved = images.clone()
    moved[:, :, rows, cols] = rolled[:, :, rows, cols]
    return moved


def _inside(size: int, by: int) -> slice:
    """Positions that a move by `by` pixels fills from inside the image."""
    return slice(min(size, max(0, by)), max(0, min(size, size + by)))


def drawn(picture: np.ndarray, channels: int) -> Change:
    """The change that draws a picture over images, except where it is transparent.

    Parameters
    ----------
    picture : (H, W, 4) uint8
        Red, green, blue and opacity of each pixel; grey images get the brightness (ITU-R 601).
    channels : 1 or 3
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 4:
        raise DataError(f"The drawing is {picture.dtype} of shape {picture.shape}, expected uint8 of shape (H, W, 4).")
    rgb = torch.from_numpy(picture[..., :3].astype(np.float32)).permute(2, 0, 1)
    colour = rgb if channels == 3 else (rgb * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0, keepdim=True)
    weight = torch.from_numpy(picture[..., 3].astype(np.float32) / 255)
    return lambda images: blend(images, colour, weight)
