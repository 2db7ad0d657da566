"""BadNets all-to-all: the patch sends every class to the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bsd_engine.attacks.badnets import BadNets


@dataclass(frozen=True, kw_only=True)
class BadNetsAll2All(BadNets):
    """Poisoned images of every class y get the label (y + 1) mod C; the target label is not used.

    Paper: appendix D.8, which states no rate (D-ST and VIBE: 0.1). The rate counts all images, and all test images
    count for the ASR.
    """

    has_target: ClassVar[bool] = False

    def eligible(self, labels: Tensor, target_label: int) -> Tensor:
        return torch.ones_like(labels, dtype=torch.bool)

    def test_mask(self, labels: Tensor, target_label: int) -> Tensor:
        return torch.ones_like(labels, dtype=torch.bool)

    def test_labels(self, labels: Tensor, target_label: int) -> Tensor:
        return (labels + 1) % self.num_classes
