"""Random images and labels, and two attacks that are as simple as can be."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bsd_engine.attacks.base import Attack


def random_images(count: int, shape: tuple[int, int, int] = (3, 32, 32)) -> Tensor:
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def random_labels(count: int, num_classes: int = 10) -> Tensor:
    return torch.randint(0, num_classes, (count,), generator=torch.Generator().manual_seed(2))


@dataclass(frozen=True, kw_only=True)
class WhiteCorner(Attack):
    """A clean-label attack, as simple as can be."""

    clean_label: ClassVar[bool] = True

    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        images[..., -1, -1] = 255
        return images


@dataclass(frozen=True, kw_only=True)
class NumberedCorner(Attack):
    """Writes each sample's number into its corner, as an attack with noise for each sample would use it."""

    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        images[..., 0, 0] = indices[:, None].to(torch.uint8)
        return images
