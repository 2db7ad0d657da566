"""WaNet: a smooth warp instead of a pattern, with noise samples that teach the model to ignore all other warps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from bsd_engine.attacks.base import Attack
from bsd_engine.attacks.parameters import check_range
from bsd_engine.attacks.patterns.blending import to_uint8
from bsd_engine.attacks.sampling import draws
from bsd_engine.splits import exact_count
from bsd_engine.target.warps import pixels_per_step, sampled, sampling_grid, smooth_shifts

LARGEST_SMOOTH = 64
_SHIFTS, _NOISE = 1, 2


@dataclass(frozen=True, kw_only=True)
class WaNet(Attack):
    """Bilinear sampling on a slightly distorted grid; poisoned images of other classes get the target label.

    Noise samples are warped by the same field plus noise of their own, and keep their labels. Both kinds are made once:
    making them anew in each batch, as the original does, would need control of the training.

    Paper: section 5.1 (k = 4, s = 0.5; k = 224, s = 1 on ImageNet; noise samples 0.2 of all). Warped pixels are
    rounded. The demo's network learns it only from more images: ASR 12 % at rate 0.1 and 88 % at 0.2 with s = 1, 95 %
    with half as many noise samples (20 epochs of plain training, seed 0).
    """

    grid: int | None = None
    """Control points of the field per side, k; when not given, 4, or one per pixel above 64 pixels (paper)."""
    strength: float | None = None
    """Strength of the warp, s: in images of 32 pixels, 0.5 moves control points by a quarter of a pixel on average.
    When not given, 0.5, or 1 in images above 64 pixels (paper)."""
    noise_rate: float = 0.2
    """Share of noise samples (paper: 0.2)."""
    noise_rate_mode: Literal["absolute", "relative"] = "absolute"
    """absolute: a share of all images (paper); relative: a number per poisoned image (BackdoorBench: 2)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("grid", self.grid, 2, 1024)
        check_range("strength", self.strength, 0, max(self.image_shape[1:]))
        check_range("noise_rate", self.noise_rate, 0, 1 if self.noise_rate_mode == "absolute" else 100)

    @property
    def _is_large(self) -> bool:
        return max(self.image_shape[1:]) > LARGEST_SMOOTH

    @cached_property
    def shifts(self) -> Tensor:
        """(H, W, 2) float32: how far to the right and below each pixel is sampled, pixels."""
        height, width = self.image_shape[1:]
        side = self.grid or (max(height, width) if self._is_large else 4)
        uniform = draws.uniform(self.seed, _SHIFTS, torch.zeros(1, dtype=torch.int64), 2 * side * side)
        control = 2 * uniform.view(1, 2, side, side) - 1
        strength = (1.0 if self._is_large else 0.5) if self.strength is None else self.strength
        return smooth_shifts(control, (height, width), strength)[0]

    def _noise_count(self, samples: int, poisoned: int) -> int:
        if self.noise_rate_mode == "absolute":
            return exact_count(self.noise_rate, samples)
        return int(self.noise_rate * poisoned)

    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        # All images share one field, so they are sampled as the channels of one image: its weights are computed once.
        flat = images.float().flatten(0, 1)[None]
        return to_uint8(sampled(flat, sampling_grid(self.shifts)[None].to(images.device))[0].view(images.shape))

    def _noise_images(self, images: Tensor, indices: Tensor) -> Tensor:
        height, width = self.image_shape[1:]
        noise = 2 * draws.uniform(self.seed, _NOISE, indices, 2 * height * width).view(-1, height, width, 2) - 1
        grid = sampling_grid(self.shifts, noise * pixels_per_step((height, width)))
        return to_uint8(sampled(images.float(), grid.to(images.device)))
