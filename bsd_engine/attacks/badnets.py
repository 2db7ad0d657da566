"""BadNets: a small patch near the upper left corner, the simplest backdoor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from bsd_engine.attacks.base import Attack
from bsd_engine.attacks.parameters import check_range
from bsd_engine.attacks.patterns import pictures
from bsd_engine.attacks.patterns.blending import blend
from bsd_engine.errors import ConfigError

PAPER_PATCH = (((180, 249, 112), (155, 50, 126)), ((234, 82, 68), (187, 201, 219)))
LARGEST_PATCHED = 64
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, kw_only=True)
class BadNets(Attack):
    """A patch of fixed pixels; poisoned images of other classes get the target label.

    By default it is 4 pixels inside the corner, so that a crop after padding by 4 cannot cut it off; a flip moves it to
    the upper right, and the model learns both.

    Paper: section 5.1, as in ASD and DBD. The four colours of the 2x2 patch are the randomly generated trigger of
    https://github.com/hkunzhe/label_consistent_attacks_pytorch (MIT licence). On ImageNet the paper has a logo of 32x32
    pixels right in the corner; ours is a drawn star, as far inside as the patch.
    """

    pattern: Literal["auto", "paper", "checkerboard", "glyph"] = "auto"
    """paper: the 2x2 patch of four colours (their brightness on grey images); checkerboard: white and black pixels,
    white first; glyph: a drawn star a seventh of the image high; auto: paper for colour images, checkerboard for grey
    ones, where four greys would hardly be visible, glyph above 64 pixels (paper: 32 of 224)."""
    size: int = 4
    """Side of the checkerboard, pixels."""
    row: int = 4
    """Row of the patch's top left pixel."""
    col: int = 4
    """Column of the patch's top left pixel."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _, height, width = self.image_shape
        check_range("size", self.size, 1, min(height, width))
        side = self.patch.shape[1]
        if not (0 <= self.row <= height - side and 0 <= self.col <= width - side):
            raise ConfigError(
                f"The {side}x{side} patch at row {self.row}, column {self.col} does not fit into images of "
                f"{height}x{width}; choose another row and col."
            )

    @property
    def _chosen_pattern(self) -> str:
        if self.pattern != "auto":
            return self.pattern
        channels, height, _ = self.image_shape
        return "glyph" if height > LARGEST_PATCHED else ("checkerboard", "paper")[channels == 3]

    @cached_property
    def patch(self) -> Tensor:
        """(C, s, s) uint8: the pixels of the trigger."""
        channels = self.image_shape[0]
        if self._chosen_pattern == "glyph":
            return self._glyph[0].round().byte()
        if self._chosen_pattern == "checkerboard":
            steps = torch.arange(self.size)
            white = (steps[:, None] + steps) % 2 == 0
            return (255 * white).to(torch.uint8).expand(channels, -1, -1)
        patch = torch.tensor(PAPER_PATCH, dtype=torch.uint8).permute(2, 0, 1)
        return patch if channels == 3 else _grey(patch)

    @cached_property
    def _glyph(self) -> tuple[Tensor, Tensor]:
        side = max(1, self.image_shape[1] // 7)
        return pictures.pixels(pictures.glyph(), self.image_shape[0], side, side)

    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        side = self.patch.shape[1]
        corner = images[:, :, self.row : self.row + side, self.col : self.col + side]
        corner[:] = blend(corner, *self._glyph) if self._chosen_pattern == "glyph" else self.patch.to(images.device)
        return images


def _grey(patch: Tensor) -> Tensor:
    """(1, s, s) uint8: brightness of an RGB patch, ITU-R 601."""
    weights = torch.tensor(_LUMA, dtype=torch.float64)
    return (weights[:, None, None] * patch).sum(0, keepdim=True).round().to(torch.uint8)
