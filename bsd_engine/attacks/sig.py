"""SIG: vertical stripes over images of the target class, which keep their labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bsd_engine.attacks.base import Attack
from bsd_engine.attacks.parameters import check_range
from bsd_engine.attacks.patterns.blending import blend, to_uint8


@dataclass(frozen=True, kw_only=True)
class SIG(Attack):
    """A sinusoidal signal, constant down each column; clean-label.

    Paper: table 2, cited from ABL, whose stripes are int(20 sin(0.8 column)) stored as uint8, so that -1 ... -20 became
    255 ... 236: nearly a square wave, blended in with weight 0.2. BackdoorBench adds 40 sin(2 pi 6 column / width). In
    twenty epochs of plain training on the demo's images, weight 0.3 reaches an ASR of 54 % and weight 0.4 one of 96 %
    (seed 0).
    """

    clean_label: ClassVar[bool] = True
    default_rate: ClassVar[float] = 0.25

    variant: Literal["sig_abl", "additive"] = "sig_abl"
    """sig_abl: ABL's wrapped stripes, blended in (paper); additive: a sine added to the pixels (BackdoorBench)."""
    weight: float = 0.2
    """Weight of the stripes of sig_abl, 0 to 1 (ABL: 0.2)."""
    delta: float = 40.0
    """Amplitude of the additive sine, grey levels (BackdoorBench: 40)."""
    frequency: float = 6.0
    """Periods of the additive sine in the width of an image (BackdoorBench: 6)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("weight", self.weight, 0, 1)
        check_range("delta", self.delta, 0, 255)
        check_range("frequency", self.frequency, 0, self.image_shape[2])

    @cached_property
    def row(self) -> Tensor:
        """(W,) float32: the signal along a row, the same in every row: grey levels for sig_abl, else what is added."""
        columns = range(self.image_shape[2])
        if self.variant == "sig_abl":
            return torch.tensor([int(20 * math.sin(0.8 * col)) % 256 for col in columns], dtype=torch.float32)
        return torch.tensor(
            [self.delta * math.sin(2 * math.pi * self.frequency * col / len(columns)) for col in columns]
        )

    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        if self.variant == "sig_abl":
            return blend(images, self.row, float(self.weight))
        return to_uint8(images.float().add_(self.row.to(images.device)))
