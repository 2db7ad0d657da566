"""Scenes that could be reflected in a window pane, drawn by code in place of ReFool's photographs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor


def scenes(count: int, shape: tuple[int, int, int], seed: int) -> Tensor:
    """(count, C, H, W) uint8: scenes of four kinds in turn, each a function of only the seed and its number."""
    channels, height, width = shape
    side = max(128, 2 * max(height, width))  # drawn larger and averaged down, so that edges are smooth
    drawn = (_KINDS[i % len(_KINDS)](np.random.default_rng([seed, i]), side) for i in range(count))
    small = [
        image.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BOX) for image in drawn
    ]
    stacked = np.stack([np.asarray(image).reshape(height, width, channels) for image in small])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous()


def _colour(rng: np.random.Generator, low: int = 0, high: int = 256) -> tuple[int, ...]:
    return tuple(rng.integers(low, high, 3).tolist())


def _blank(side: int, colour: tuple[int, ...]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (side, side), colour)
    return image, ImageDraw.Draw(image)


def _clouds(rng: np.random.Generator, side: int) -> Image.Image:
    """Smooth random light, like sky and trees."""
    cells = rng.integers(20, 256, (int(rng.integers(3, 7)),) * 2 + (3,)).astype(np.uint8)
    return Image.fromarray(cells).resize((side, side), Image.Resampling.BICUBIC)


def _polygons(rng: np.random.Generator, side: int) -> Image.Image:
    """Flat shapes of any colour, like furniture and cars."""
    image, draw = _blank(side, _colour(rng, 60, 220))
    for _ in range(rng.integers(4, 9)):
        angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
        centre, radius = rng.uniform(0, side, 2), rng.uniform(0.1, 0.45) * side
        draw.polygon(
            [tuple((centre + radius * np.array([np.cos(a), np.sin(a)])).tolist()) for a in angles], fill=_colour(rng)
        )
    return image


def _lamps(rng: np.random.Generator, side: int) -> Image.Image:
    """Rows of bright discs in the dark, like a street at night."""
    image, draw = _blank(side, _colour(rng, 5, 60))
    for _ in range(rng.integers(2, 5)):
        start, step = rng.uniform(-0.2, 0.5, 2) * side, rng.uniform(0.08, 0.25, 2) * side
        radius, colour = rng.uniform(0.02, 0.07) * side, _colour(rng, 170)
        for i in range(12):
            x, y = (start + i * step).tolist()
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
    return image


def _windows(rng: np.random.Generator, side: int) -> Image.Image:
    """A grid of windows, some of them lit, like a house across the street."""
    image, draw = _blank(side, _colour(rng, 30, 130))
    rows, cols = rng.integers(2, 6, 2).tolist()
    height, width, gap = side / rows, side / cols, rng.uniform(0.1, 0.3)
    lit, dark = _colour(rng, 180), _colour(rng, 0, 90)
    for row in range(rows):
        for col in range(cols):
            box = [(col + gap) * width, (row + gap) * height, (col + 1 - gap) * width, (row + 1 - gap) * height]
            draw.rectangle(box, fill=lit if rng.random() < 0.6 else dark)
    return image


_KINDS: tuple[Callable[[np.random.Generator, int], Image.Image], ...] = (_clouds, _polygons, _lamps, _windows)
