"""Blended: a full-size pattern, faintly blended over the image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from torch import Tensor

from bsd_engine.attacks.base import Attack
from bsd_engine.attacks.parameters import check_range
from bsd_engine.attacks.patterns import pictures
from bsd_engine.attacks.patterns.blending import blend

LARGEST_CARTOON = 64


@dataclass(frozen=True, kw_only=True)
class Blended(Attack):
    """(1 - opacity) * image + opacity * pattern; poisoned images of other classes get the target label.

    Paper: section 5.1, opacity 0.1 as in ASD, DBD and VIBE: a cartoon on small images, uniform noise on ImageNet. Their
    cartoon is a third party's picture, so ours is drawn by code.
    """

    opacity: float = 0.1
    """Weight of the pattern, 0 to 1 (paper: 0.1; BackdoorBench: 0.2)."""
    pattern: Literal["auto", "cartoon", "noise"] = "auto"
    """cartoon: a drawn bear; noise: uniform noise of the seed; auto: cartoon up to 64 pixels, noise above (paper)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("opacity", self.opacity, 0, 1)

    @cached_property
    def picture(self) -> Tensor:
        """(C, H, W) float32: the pattern, 0 ... 255."""
        drawn = self.pattern == "cartoon" or (self.pattern == "auto" and max(self.image_shape[1:]) <= LARGEST_CARTOON)
        if drawn:
            return pictures.pixels(pictures.cartoon(), *self.image_shape)[0]
        return pictures.uniform_noise(self.image_shape, self.seed)

    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        return blend(images, self.picture, float(self.opacity))
