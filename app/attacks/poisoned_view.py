"""What an attack did to a data set, for the page that shows it; no streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from bsd_engine.attacks import Attack
from bsd_engine.config.settings import BSDConfig
from bsd_engine.data import dataset
from bsd_engine.prepare.prepare import PreparedData, prepare_with_attack

MEAN_OF = 2000
Kind = Literal["poisoned", "noise", "unchanged", "all"]


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """What the trigger alone changes."""

    difference: np.ndarray
    """(H, W, C) int16: grey levels."""
    ground: str
    """The image that it was applied to, in words."""
    varies: bool
    """Whether each image gets a trigger of its own; then this is the trigger of image 0."""


@dataclass(frozen=True, kw_only=True)
class PoisonedView:
    """A poisoned set beside the original one."""

    prepared: PreparedData
    originals: Mapping[int, np.ndarray]
    """(H, W, C) uint8 images before the attack, by number; only those that it changed."""
    trigger: Trigger

    @property
    def size(self) -> int:
        """Number of training images."""
        return len(self.prepared.labels)

    @property
    def noise_mask(self) -> np.ndarray:
        """(N,) bool: changed without being poisoned."""
        noise = self.prepared.is_noise
        return np.zeros(self.size, bool) if noise is None else noise.numpy()

    @property
    def poison_mask(self) -> np.ndarray:
        """(N,) bool."""
        return self.prepared.is_poison.numpy()

    def original(self, number: int) -> np.ndarray:
        """(H, W, C) uint8: an image before the attack."""
        return self.originals.get(number, self.poisoned(number))

    def poisoned(self, number: int) -> np.ndarray:
        """(H, W, C) uint8: an image as it is trained on."""
        return self.prepared.images[number].numpy()

    def difference(self, number: int) -> np.ndarray:
        """(H, W, C) int16: what the attack added, grey levels."""
        return self.poisoned(number).astype(np.int16) - self.original(number)

    def kind(self, number: int) -> Kind:
        """What became of an image."""
        return "poisoned" if self.poison_mask[number] else "noise" if self.noise_mask[number] else "unchanged"

    def numbers(self, kind: Kind, label: int | None) -> np.ndarray:
        """Sorted numbers of the images of one kind and, if wanted, one original class."""
        masks = {
            "poisoned": self.poison_mask,
            "noise": self.noise_mask,
            "unchanged": ~(self.poison_mask | self.noise_mask),
        }
        mask = masks.get(kind, np.ones(self.size, bool))
        return np.flatnonzero(mask if label is None else mask & (self.prepared.original_labels.numpy() == label))

    def counts(self, mask: np.ndarray) -> np.ndarray:
        """(C,) int64: images of a mask in each original class."""
        return np.bincount(self.prepared.original_labels.numpy()[mask], minlength=self.prepared.num_classes)


def poisoned_view(config: BSDConfig) -> PoisonedView:
    """Poison the data of a configuration with an attack, as a run would, and keep the originals of the changed images.

    The source is read twice, since poisoning writes over what it is given; large folders are mapped, not read.
    """
    prepared, attack = prepare_with_attack(config)
    source = dataset.load(config.data.data, config.data.limit, config.seed, config.data.image_size)
    changed = prepared.is_poison if prepared.is_noise is None else prepared.is_poison | prepared.is_noise
    originals = {
        i: source.train_images[i].permute(1, 2, 0).contiguous().numpy() for i in changed.nonzero().squeeze(1).tolist()
    }
    return PoisonedView(prepared=prepared, originals=originals, trigger=trigger_of(attack, source.train_images))


def trigger_of(attack: Attack, images: torch.Tensor) -> Trigger:
    """What the trigger changes in a flat grey image or, where that is nothing (a warp), in the mean of the images."""
    ground, difference = "a flat grey image", _change(attack, torch.full_like(images[0], 128))
    if not difference.any():
        few = images[:MEAN_OF]
        ground, difference = f"the mean of {len(few):,} images", _change(attack, few.float().mean(0).round().byte())
    varies = bool((difference[0] != difference[1]).any())
    return Trigger(difference=difference[0], ground=ground, varies=varies)


def _change(attack: Attack, image: torch.Tensor) -> np.ndarray:
    """(2, H, W, C) int16: what the trigger changes in an image (C, H, W) as number 0 and as number 1."""
    pair = image.expand(2, -1, -1, -1).contiguous()
    return (attack.apply(pair).short() - pair.short()).permute(0, 2, 3, 1).numpy()
