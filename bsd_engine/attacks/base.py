"""What every attack has in common: which samples are poisoned, how they are relabelled, and when settings are wrong.

An attack is a frozen dataclass; its fields are its parameters, and the text under each is that parameter's help.
A new attack subclasses `Attack`, says in `_trigger` what the trigger does to images, and is listed in the registry.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import ClassVar, get_type_hints

import numpy as np
import torch
from torch import Tensor

from bsd_engine.attacks import choice
from bsd_engine.attacks.parameters import check_type
from bsd_engine.config.data_settings import PoisonCountMode
from bsd_engine.data.dataset import PoisonedSet
from bsd_engine.errors import ConfigError, DataError

Array = np.ndarray | Tensor
Change = Callable[[Tensor, Tensor], Tensor]
_CHUNK_VALUES = 2**20  # values that are changed at a time: a few MB as floats, whatever the size and number of images


def _tensor(array: Array) -> Tensor:
    """A copy that may be written to, whatever kind comes in."""
    return array.clone() if isinstance(array, Tensor) else torch.from_numpy(np.array(array))


def _same_memory(array: Array) -> Tensor:
    """The array as a tensor, to be written to."""
    if isinstance(array, Tensor):
        return array
    if not array.flags.writeable:
        raise DataError(
            "The images are read-only, expected an array that may be written to; poison a copy instead of in place."
        )
    return torch.from_numpy(array)


def _like(result: Tensor, example: Array) -> Array:
    return result if isinstance(example, Tensor) else result.numpy()


def _mask(idx: Tensor, size: int) -> Tensor:
    mask = torch.zeros(size, dtype=torch.bool)
    mask[idx] = True
    return mask


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """Base of all attacks.

    Everything random about the trigger itself (a pattern, noise for each sample) comes from `seed`; which samples are
    poisoned comes from the seed given to `poison`.
    """

    clean_label: ClassVar[bool] = False
    """Whether the attack keeps labels and poisons samples of the target class only."""
    default_rate: ClassVar[float] = 0.05
    """Poisoning rate where none is given."""
    has_target: ClassVar[bool] = True
    """Whether there is one target label; otherwise every class has one of its own."""

    image_shape: tuple[int, int, int] = (3, 32, 32)
    """Channels (1 or 3), height and width of an image."""
    num_classes: int = 10
    """Number of classes C."""
    seed: int = 0
    """Seed of the trigger."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            check_type(name, getattr(self, name), hint)
        shape = tuple(self.image_shape)
        if len(shape) != 3 or shape[0] not in (1, 3) or min(shape) < 1:
            raise ConfigError(f"image_shape is {shape}, expected (channels, height, width) with 1 or 3 channels.")
        if self.num_classes < 2:
            raise ConfigError(f"num_classes is {self.num_classes}, expected at least 2.")

    @abstractmethod
    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        """Images with the trigger. `images` is a copy and may be changed in place; `indices` picks per-sample noise."""

    def _poison_images(self, images: Tensor, indices: Tensor, target_label: int) -> Tensor:
        """Images as they go into the training set; an attack overrides it where that is more than the trigger."""
        return self._trigger(images, indices)

    def _poisoner(self, images: Tensor, labels: Tensor, idx: Tensor, target_label: int) -> Change:
        """What makes poison of images and their numbers; an attack overrides it where that follows from the whole clean set.

        `idx` (P,) are the samples to poison; images and labels are still clean, and must not be changed.
        """
        return lambda part, numbers: self._poison_images(part, numbers, target_label)

    def _noise_count(self, samples: int, poisoned: int) -> int:
        """How many samples of a set are changed without being poison; most attacks have none."""
        return 0

    def _noise_images(self, images: Tensor, indices: Tensor) -> Tensor:
        """Images of noise samples, for attacks that have them."""
        return images

    def _poison_labels(self, labels: Tensor, target_label: int) -> Tensor:
        """Labels that poisoned samples with these labels get."""
        return labels if self.clean_label else self.test_labels(labels, target_label)

    def eligible(self, labels: Tensor, target_label: int) -> Tensor:
        """(N,) bool: samples that the attack poisons some of."""
        return (labels == target_label) == self.clean_label

    def test_mask(self, labels: Tensor, target_label: int) -> Tensor:
        """(M,) bool: triggered test images that count for ASR, which are those of the other classes."""
        return labels != target_label

    def test_labels(self, labels: Tensor, target_label: int) -> Tensor:
        """(M,) int64: what the attacker wants triggered images with these labels to be called."""
        return torch.full_like(labels, target_label)

    def apply(self, images: Array, indices: Array | None = None) -> Array:
        """Images with the trigger alone, as at test time; the input stays as it is.

        Parameters
        ----------
        images : (B, C, H, W) uint8
        indices : (B,) int, optional
            Number of each sample in its data set, for attacks with noise of its own for every sample; 0 ... B-1 if
            not given.

        Returns
        -------
        (B, C, H, W) uint8

        Raises
        ------
        DataError
            If the images are not uint8 or not of the attack's shape.
        """
        x = _tensor(images)
        self._check_images(x)
        numbers = torch.arange(len(x)) if indices is None else torch.as_tensor(indices)
        self._change(x, torch.arange(len(x)), lambda part, idx: self._trigger(part, numbers[idx]))
        return _like(x, images)

    def poison(
        self,
        images: Array,
        labels: Array,
        rate: float | None,
        target_label: int,
        seed: int,
        *,
        in_place: bool = False,
        count_mode: PoisonCountMode = "exact_nontarget",
    ) -> PoisonedSet:
        """The training set that the victim gets, and the truth about it.

        Parameters
        ----------
        images : (N, C, H, W) uint8
        labels : (N,) int64
        rate : float or None
            Poisoning rate rho, of the classes that the attack takes from: the others, or the target class for a clean-label
            attack. `default_rate` when None.
        target_label : int
        seed : int
            Decides which samples; those of a lower rate are among those of a higher one.
        in_place : bool
            Write the poisoned images over the given ones, so that no others are copied. By default, and for labels
            always, the inputs stay as they are.
        count_mode : PoisonCountMode
            How many samples that is, see `AttackConfig.poison_count_mode`.

        Raises
        ------
        ConfigError
            If the target is not a class, or the rate poisons no sample or more than there are.
        DataError
            If images and labels do not fit the attack or each other, or read-only images are to be changed in place.

        Paper: section 3.1 says |D_c| = (1 - rho) N. The code bases differ; by default we take the count of ASD and DBD (each
        sample of another class with probability rho), made exact: 2,250 of CIFAR-10 at rho = 0.05.
        """
        x, y = _same_memory(images) if in_place else _tensor(images), _tensor(labels)
        rate = self.default_rate if rate is None else rate
        self._check_poisoning(x, y, rate, target_label)
        generator = torch.Generator().manual_seed(seed)
        idx = choice.poison_idx(self.eligible(y, target_label), rate, self._own_mode(count_mode), generator)
        is_poison = _mask(idx, len(y))
        noise_idx = choice.noise_idx(is_poison, self._noise_count(len(y), len(idx)), generator)
        original, change = y.clone(), self._poisoner(x, y, idx, target_label)
        y[idx] = self._poison_labels(y[idx], target_label)
        self._change(x, idx, change)
        self._change(x, noise_idx, self._noise_images)
        return PoisonedSet(
            images=_like(x, images),
            labels=_like(y, labels),
            is_poison=_like(is_poison, labels),
            original_labels=_like(original, labels),
            is_noise=_like(_mask(noise_idx, len(y)), labels) if len(noise_idx) else None,
        )

    def _own_mode(self, mode: PoisonCountMode) -> PoisonCountMode:
        """Conventions that count all samples are about the target class among them, which only one kind of attack avoids."""
        return (
            mode if mode == "bernoulli_nontarget" or (self.has_target and not self.clean_label) else "exact_nontarget"
        )

    def _change(self, images: Tensor, idx: Tensor, change: Change) -> None:
        """Change some of the images where they lie, a part at a time."""
        for part in idx.split(max(1, _CHUNK_VALUES // prod(self.image_shape))):
            images[part] = change(images[part].contiguous(), part)

    def _check_images(self, images: Tensor) -> None:
        if images.dtype != torch.uint8 or images.ndim != 4 or tuple(images.shape[1:]) != tuple(self.image_shape):
            raise DataError(
                f"The images are {str(images.dtype).removeprefix('torch.')} of shape {tuple(images.shape)}, expected "
                f"uint8 of shape (B, {', '.join(map(str, self.image_shape))}); make the attack for their shape."
            )

    def _check_poisoning(self, images: Tensor, labels: Tensor, rate: float, target_label: int) -> None:
        self._check_images(images)
        if labels.shape != images.shape[:1]:
            raise DataError(
                f"There are {len(images)} images and labels of shape {tuple(labels.shape)}; expected one label an image."
            )
        if self.has_target and not 0 <= target_label < self.num_classes:
            raise ConfigError(f"The target is {target_label}, expected a class from 0 to {self.num_classes - 1}.")
        if not 0 <= rate <= 1:
            raise ConfigError(f"rate is {rate:g}, expected a number between 0 and 1.")
