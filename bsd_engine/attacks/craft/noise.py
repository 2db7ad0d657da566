"""Base of the attacks whose trigger is one perturbation for all images, crafted from the data that they poison."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bsd_engine.attacks.base import Change
from bsd_engine.attacks.craft import cache, pgd
from bsd_engine.attacks.craft.surrogate import SurrogateAttack, runtime_key
from bsd_engine.data import sources

STANDALONE_IMAGES, STANDALONE_SIDE, STANDALONE_EPOCHS, STANDALONE_TARGET = 256, 32, 2, 0


@dataclass(frozen=True, kw_only=True)
class CraftedNoise(SurrogateAttack):
    """`poison` crafts the perturbation, and `apply` adds the one that this object crafted last.

    Before the first `poison` there are no data. Then `apply` crafts a perturbation towards class 0 from 256 of the
    bundled images, resized to at most 32 pixels a side and labelled by their class mod C, with a small network trained
    for two epochs. That is a stand-in to show what the attack looks like; it says nothing about its strength.
    """

    @abstractmethod
    def _craft(self, images: Tensor, labels: Tensor, target_label: int) -> Tensor:
        """(C, H, W) int16, grey levels: the perturbation for (N, H, W, C) uint8 images."""

    @cached_property
    def _crafted(self) -> dict[str, Tensor]:
        """The last perturbation, under "delta"; not a field, so that `==` and `repr` ignore it."""
        return {}

    @property
    def delta(self) -> Tensor:
        """(C, H, W) int16, grey levels: what the trigger adds to training images."""
        if "delta" not in self._crafted:
            self._crafted["delta"] = self._standalone()
        return self._crafted["delta"]

    def _poisoner(self, images: Tensor, labels: Tensor, idx: Tensor, target_label: int) -> Change:
        self._crafted["delta"] = self._cached(images.permute(0, 2, 3, 1).contiguous(), labels, target_label)
        return super()._poisoner(images, labels, idx, target_label)

    def _cached(self, images: Tensor, labels: Tensor, target_label: int) -> Tensor:
        key = (type(self).__name__, repr(self), target_label, runtime_key(self.device), cache.digest(images, labels))
        return cache.cached(key, lambda: self._craft(images, labels, target_label))

    def _standalone(self) -> Tensor:
        channels, height, width = self.image_shape
        small_shape = channels, min(height, STANDALONE_SIDE), min(width, STANDALONE_SIDE)
        attack = replace(
            self,
            image_shape=small_shape,
            surrogate="small_resnet",
            surrogate_width=16,
            surrogate_epochs=min(self.surrogate_epochs, STANDALONE_EPOCHS),
        )
        images, labels = _bundled(small_shape, self.num_classes)
        delta = attack._cached(images, labels, STANDALONE_TARGET)
        return F.interpolate(delta[None].float(), size=(height, width))[0].to(torch.int16)

    def _poison_images(self, images: Tensor, indices: Tensor, target_label: int) -> Tensor:
        return pgd.add(images, self.delta)

    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        return pgd.add(images, self.delta)


def _bundled(shape: tuple[int, int, int], num_classes: int) -> tuple[Tensor, Tensor]:
    """(N, H, W, C) uint8 images and (N,) int64 labels of the bundled set, for another shape and number of classes."""
    source = sources.bundled()
    channels, height, width = shape
    pixels = source.read(np.arange(len(source.train_labels)))[0][:STANDALONE_IMAGES]
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    resized = F.interpolate(images, size=(height, width), mode="bilinear", align_corners=False).round().byte()
    labels = torch.from_numpy(source.train_labels[:STANDALONE_IMAGES]) % num_classes
    return resized.expand(-1, channels, -1, -1).permute(0, 2, 3, 1).contiguous(), labels
