"""Adaptive blend: a different part of one overlay on each training image, and noise samples that keep their labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bsd_engine.attacks.blended import Blended
from bsd_engine.attacks.parameters import check_range
from bsd_engine.attacks.patterns.blending import blend
from bsd_engine.attacks.sampling import draws

_PIECES = 3


@dataclass(frozen=True, kw_only=True)
class AdaptiveBlend(Blended):
    """Blended whose training images carry a random half of the overlay's pieces; test images carry all of it, stronger.

    Noise samples get such an overlay too and keep their labels, so a model learns to follow the trigger only where
    enough of it is there, and the features of poisoned samples do not stand apart.

    After Qi et al., "Revisiting the assumption of latent separability" (ICLR 2023): 16 pieces, half of them at a time,
    opacity 0.15 for training and 0.2 for testing, as many noise samples (there: cover samples) as poisoned ones. Their
    picture is a third party's; ours is that of Blended. The paper of BSD does not test this attack.
    """

    opacity: float = 0.2
    """Weight of the overlay in test images, 0 to 1."""
    training_opacity: float = 0.15
    """Weight of the overlay in training images, 0 to 1."""
    pieces: int = 4
    """Pieces of the overlay a side."""
    kept: float = 0.5
    """Share of the pieces that a training image carries."""
    noise_rate: float = 1.0
    """Noise samples per poisoned one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("training_opacity", self.training_opacity, 0, 1)
        check_range("pieces", self.pieces, 1, min(self.image_shape[1:]))
        check_range("kept", self.kept, 0, 1)
        check_range("noise_rate", self.noise_rate, 0, 100)

    def _noise_count(self, samples: int, poisoned: int) -> int:
        return int(self.noise_rate * poisoned)

    def _noise_images(self, images: Tensor, indices: Tensor) -> Tensor:
        return blend(images, self.picture, float(self.training_opacity) * self._carried(indices))

    def _poison_images(self, images: Tensor, indices: Tensor, target_label: int) -> Tensor:
        return self._noise_images(images, indices)

    def _carried(self, indices: Tensor) -> Tensor:
        """(B, 1, H, W) float32: 1 where an image carries the overlay, else 0; drawn anew for each sample."""
        count = self.pieces**2
        rank = draws.uniform(self.seed, _PIECES, indices, count).argsort(dim=1).argsort(dim=1)
        carried = (rank < round(self.kept * count)).float().view(-1, self.pieces, self.pieces)
        row, column = (torch.arange(size) * self.pieces // size for size in self.image_shape[1:])
        return carried[:, row][:, :, column][:, None]
