"""Pictures drawn by code in place of the cartoon and the logo of the attack papers, and their conversion to pixels."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

_CANVAS = 1792  # 8 x 224 and 56 x 32: pictures are drawn large and averaged down, so edges are smooth at any size
_BLACK, _WHITE, _RED, _BLUE, _YELLOW = (
    (0, 0, 0, 255),
    (255, 255, 255, 255),
    (232, 17, 45, 255),
    (20, 80, 215, 255),
    (255, 205, 0, 255),
)


def _at(*unit: float) -> list[int]:
    """Canvas coordinates of points in the unit square."""
    return [round(v * _CANVAS) for v in unit]


def cartoon() -> Image.Image:
    """RGBA: a bear with black outlines and a red bow on a white background.

    At 32x32 its pixels have mean 197 and standard deviation 90, close to the cartoon that Blended is used with.
    """
    image = Image.new("RGBA", (_CANVAS, _CANVAS), _WHITE)
    draw, (line,) = ImageDraw.Draw(image), _at(0.042)
    for left in (0.08, 0.64):
        draw.ellipse(_at(left, 0.04, left + 0.28, 0.32), fill=_WHITE, outline=_BLACK, width=line)
    draw.ellipse(_at(0.06, 0.12, 0.94, 0.84), fill=_WHITE, outline=_BLACK, width=line)
    for x in (0.34, 0.66):
        draw.ellipse(_at(x - 0.05, 0.36, x + 0.05, 0.48), fill=_BLACK)
    draw.ellipse(_at(0.42, 0.5, 0.58, 0.6), fill=_BLACK)
    draw.arc(_at(0.36, 0.52, 0.64, 0.72), 20, 160, fill=_BLACK, width=_at(0.025)[0])
    for x in (0.2, 0.8):
        draw.polygon(_at(0.5, 0.85, x, 0.72, x, 0.98), fill=_RED, outline=_BLACK, width=_at(0.025)[0])
    draw.ellipse(_at(0.43, 0.78, 0.57, 0.92), fill=_RED, outline=_BLACK, width=_at(0.025)[0])
    return image


def glyph() -> Image.Image:
    """RGBA: a yellow star on a blue disc on a transparent background, in place of the paper's logo for ImageNet."""
    image = Image.new("RGBA", (_CANVAS, _CANVAS), (*_BLUE[:3], 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse(_at(0.05, 0.05, 0.95, 0.95), fill=_BLUE)
    points = [
        (0.5 + r * math.sin(math.pi * i / 5), 0.5 - r * math.cos(math.pi * i / 5))
        for i, r in enumerate([0.38, 0.16] * 5)
    ]
    draw.polygon(_at(*(v for point in points for v in point)), fill=_YELLOW)
    return image


def uniform_noise(shape: tuple[int, int, int], seed: int) -> Tensor:
    """(C, H, W) float32: independent pixels, each level of 0 ... 255 equally likely."""
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape).astype(np.float32))


def pixels(image: Image.Image, channels: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """A picture resized so that every pixel is the mean of what it covers.

    Returns
    -------
    colour : (channels, height, width) float32, 0 ... 255; brightness (ITU-R 601) for one channel
    opacity : (height, width) float32, 0 ... 1
    """
    small = image.convert("RGBA").resize((width, height), Image.Resampling.BOX)
    colour = np.asarray(small.convert("RGB").convert("L" if channels == 1 else "RGB"), np.float32).reshape(
        height, width, channels
    )
    opacity = np.asarray(small.getchannel("A"), np.float32) / 255
    return torch.from_numpy(colour).permute(2, 0, 1).contiguous(), torch.from_numpy(opacity)
