"""ReFool: the trigger is a reflection of some scene, as in a photograph taken through a window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bsd_engine.attacks.base import Attack
from bsd_engine.attacks.parameters import check_range
from bsd_engine.attacks.patterns import scenes
from bsd_engine.attacks.patterns.blending import to_uint8
from bsd_engine.attacks.sampling import draws
from bsd_engine.compute.memory import check_fits

GAMMA = 2.2
_TEST, _TRAIN = 3, 4
_SCENE_BYTES = 1 + 4 + 4  # of one level: as uint8 and as float32, twice while it is converted
_MODES = ("in_focus", "out_of_focus", "ghost")


@dataclass(frozen=True)
class Reflections:
    """The random choices for each of B samples."""

    scene: Tensor
    """(B,) int64: number of the reflected scene."""
    weight: Tensor
    """(B,) float32: share of the reflected light."""
    mode: Tensor
    """(B,) int64: 0 in focus, 1 out of focus, 2 ghost."""
    sigma: Tensor
    """(B,) float32: blur of mode 1, pixels."""
    shift: Tensor
    """(B, 2) int64: how far down and to the right the second image of mode 2 lies, pixels."""
    first: Tensor
    """(B,) float32: share of the first of the two images of mode 2."""


@dataclass(frozen=True, kw_only=True)
class ReFool(Attack):
    """A reflection added to the image in linear light; poisoned images of other classes get the target label.

    With image t and scene r in linear light (gamma 2.2), x = ((1 - weight) t + weight R)^(1 / 2.2), where R is r (in
    focus: same depth), r blurred (out of focus), or a mix of r with a shifted r (ghost: the two faces of a thick pane).
    The random choices for a sample are made once; training and test images share the scenes, not the choices.

    Paper: table 2, "one of three reflection methods" with pictures of Pascal VOC, dirty label. It states no strengths.
    The weights are BackdoorBox's; blur and shift are ours, as BackdoorBox's vanish when 560 pixels are shrunk to 32.
    The scenes are drawn by code.
    """

    mode: Literal["all", "in_focus", "out_of_focus", "ghost"] = "all"
    """How the scene is reflected; all: each way with the same probability (paper)."""
    candidates: int = 200
    """Number of scenes (BackdoorBox: 200)."""
    weight_low: float = 0.05
    """Smallest share of reflected light, 0 to 1 (BackdoorBox: 0.05)."""
    weight_high: float = 0.45
    """Largest share of reflected light, 0 to 1 (BackdoorBox: 0.45)."""
    blur_low: float = 0.3
    """Smallest sigma of the blur, pixels of an image 32 high (not stated in the paper)."""
    blur_high: float = 1.5
    """Largest sigma of the blur, pixels of an image 32 high (not stated in the paper)."""
    ghost_shift: int = 2
    """Largest shift of a ghost image, pixels of an image 32 high; the smallest is 1 (not stated in the paper)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("candidates", self.candidates, 1, 10000)
        check_fits("candidates", self.candidates, _SCENE_BYTES * self.candidates * math.prod(self.image_shape))
        check_range("weight_high", self.weight_high, 0, 1)
        check_range("weight_low", self.weight_low, 0, self.weight_high)
        check_range("blur_high", self.blur_high, 0.05, 32)
        check_range("blur_low", self.blur_low, 0.05, self.blur_high)
        check_range("ghost_shift", self.ghost_shift, 1, 31)

    @cached_property
    def scenes(self) -> Tensor:
        """(candidates, C, H, W) uint8: the scenes that may be reflected."""
        return scenes.scenes(self.candidates, self.image_shape, self.seed)

    def reflections(self, indices: Tensor, *, training: bool) -> Reflections:
        """The random choices for the samples with these numbers."""
        u = draws.uniform(self.seed, _TRAIN if training else _TEST, indices, 8)
        scale = self.image_shape[1] / 32
        most = max(1, round(self.ghost_shift * scale))
        mode = (3 * u[:, 2]).long() if self.mode == "all" else torch.full((len(u),), _MODES.index(self.mode))
        apart = 0.15 + 0.35 * u[:, 6]
        return Reflections(
            scene=(self.candidates * u[:, 0]).long(),
            weight=self.weight_low + (self.weight_high - self.weight_low) * u[:, 1],
            mode=mode,
            sigma=scale * (self.blur_low + (self.blur_high - self.blur_low) * u[:, 3]),
            shift=1 + (most * u[:, 4:6]).long(),
            first=torch.where(u[:, 7] < 0.5, apart, 1 - apart),
        )

    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        return self._reflected(images, self.reflections(indices, training=False))

    def _poison_images(self, images: Tensor, indices: Tensor, target_label: int) -> Tensor:
        return self._reflected(images, self.reflections(indices, training=True))

    @cached_property
    def _scenes_light(self) -> Tensor:
        return _linear(self.scenes)

    def _reflected(self, images: Tensor, drawn: Reflections) -> Tensor:
        reflection = self._scenes_light[drawn.scene]
        for mode, changed in ((1, _blurred), (2, _ghosts)):
            of_mode = (drawn.mode == mode).nonzero()[:, 0]
            reflection[of_mode] = changed(reflection[of_mode], drawn, of_mode)
        mixed = _linear(images).lerp_(reflection.to(images.device), drawn.weight.view(-1, 1, 1, 1).to(images.device))
        return to_uint8(mixed.clamp_(min=0).pow_(1 / GAMMA).mul_(255))


def _linear(images: Tensor) -> Tensor:
    """Linear light of uint8 levels, 0 ... 1."""
    return images.float().div_(255).pow_(GAMMA)


def _blurred(light: Tensor, drawn: Reflections, which: Tensor) -> Tensor:
    """Gaussian blur with a width per scene: one matrix per scene and axis, normalised inside the image."""
    down, across = (_blur(size, drawn.sigma[which])[:, None] for size in light.shape[2:])
    return down @ light @ across.transpose(-1, -2)


def _blur(size: int, sigma: Tensor) -> Tensor:
    lines = torch.arange(size)
    return torch.softmax((lines[:, None] - lines).square() / (-2 * sigma.square().view(-1, 1, 1)), dim=-1)


def _ghosts(light: Tensor, drawn: Reflections, which: Tensor) -> Tensor:
    """Each scene mixed with itself moved down and to the right; the first row and column are repeated."""
    height, width = light.shape[2:]
    shifts, moved = drawn.shift[which], torch.empty_like(light)
    for down, across in shifts.unique(dim=0).tolist():
        alike = ((shifts[:, 0] == down) & (shifts[:, 1] == across)).nonzero()[:, 0]
        moved[alike] = F.pad(light[alike], (across, 0, down, 0), mode="replicate")[..., :height, :width]
    return moved.lerp_(light, drawn.first[which].view(-1, 1, 1, 1))
