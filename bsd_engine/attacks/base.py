"""What every attack has in common: which samples are poisoned, how they are relabelled, and when settings are wrong.

An attack is a frozen dataclass; its fields are its parameters, and the text under each is that parameter's help.
A new attack subclasses `Attack`, says in `_trigger` what the trigger does to images, and is listed in the registry.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import numpy as np
import torch
from torch import Tensor

from bsd_engine.data import PoisonedSet
from bsd_engine.errors import ConfigError, DataError
from bsd_engine.splits import exact_count

Array = np.ndarray | Tensor


def _tensor(array: Array) -> Tensor:
    """A copy that may be written to, whatever kind comes in."""
    return array.clone() if isinstance(array, Tensor) else torch.from_numpy(np.array(array))


def _same_memory(array: Array) -> Tensor:
    """The array as a tensor, to be written to."""
    if isinstance(array, Tensor):
        return array
    if not array.flags.writeable:
        raise DataError("The images are read-only, expected an array that may be written to; poison a copy instead of in place.")
    return torch.from_numpy(array)


def _like(result: Tensor, example: Array) -> Array:
    return result if isinstance(example, Tensor) else result.numpy()


def _check_type(name: str, value: Any, hint: Any) -> None:
    """Raise `ConfigError` unless a parameter has its declared type: whole number, finite number or one of some words."""
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise ConfigError(f"{name} is {value!r}, expected one of {', '.join(get_args(hint))}.")
    if hint is int and not isinstance(value, Integral):
        raise ConfigError(f"{name} is {value!r}, expected a whole number.")
    if hint is float and not (isinstance(value, Real) and math.isfinite(value)):
        raise ConfigError(f"{name} is {value!r}, expected a finite number.")


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """Base of all attacks.

    Everything random about the trigger itself (a pattern, noise for each sample) comes from `seed`; which samples are
    poisoned comes from the seed given to `poison`.
    """

    clean_label: ClassVar[bool] = False
    """Whether the attack keeps labels and poisons samples of the target class only."""

    image_shape: tuple[int, int, int] = (3, 32, 32)
    """Channels (1 or 3), height and width of an image."""
    num_classes: int = 10
    """Number of classes C."""
    seed: int = 0
    """Seed of the trigger."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            _check_type(name, getattr(self, name), hint)
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

    def _poison_idx(self, labels: Tensor, rate: float, target_label: int, generator: torch.Generator) -> Tensor:
        """Sorted indices of the samples to poison: an exact share of the classes that this attack takes from."""
        candidates = ((labels == target_label) == self.clean_label).nonzero().squeeze(1)
        order = torch.randperm(len(candidates), generator=generator)
        return candidates[order[: exact_count(rate, len(candidates))]].sort().values

    def _poison_labels(self, labels: Tensor, target_label: int) -> Tensor:
        """Labels that poisoned samples with these labels get."""
        return labels if self.clean_label else torch.full_like(labels, target_label)

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
        idx = torch.arange(len(x)) if indices is None else torch.as_tensor(indices)
        return _like(self._trigger(x, idx), images)

    def poison(self, images: Array, labels: Array, rate: float, target_label: int, seed: int, *,
               in_place: bool = False) -> PoisonedSet:
        """The training set that the victim gets, and the truth about it.

        Parameters
        ----------
        images : (N, C, H, W) uint8
        labels : (N,) int64
        rate : float
            Poisoning rate rho. Exactly int(rate * n) samples are poisoned, where n counts the samples of the other
            classes, or of the target class for a clean-label attack.
        target_label : int
        seed : int
            Decides which samples; those of a lower rate are among those of a higher one.
        in_place : bool
            Write the poisoned images over the given ones, so that no others are copied. By default, and for labels
            always, the inputs stay as they are.

        Raises
        ------
        ConfigError
            If the target is not a class, or the rate poisons no sample.
        DataError
            If images and labels do not fit the attack or each other, or read-only images are to be changed in place.

        Paper: section 3.1 says |D_c| = (1 - rho) N. The code bases differ; we take the count of ASD and DBD (each
        sample of another class with probability rho), made exact: 2,250 of CIFAR-10 at rho = 0.05.
        """
        x, y = _same_memory(images) if in_place else _tensor(images), _tensor(labels)
        self._check_poisoning(x, y, rate, target_label)
        idx = self._poison_idx(y, rate, target_label, torch.Generator().manual_seed(seed))
        if len(idx) == 0:
            raise ConfigError(f"rate is {rate:g}, which poisons none of the {len(y)} samples; raise the rate or use more images.")
        is_poison = torch.zeros(len(y), dtype=torch.bool)
        is_poison[idx] = True
        original = y.clone()
        y[idx] = self._poison_labels(y[idx], target_label)
        x[idx] = self._poison_images(x[idx].contiguous(), idx, target_label)
        return PoisonedSet(images=_like(x, images), labels=_like(y, labels), is_poison=_like(is_poison, labels),
                           original_labels=_like(original, labels))

    def _check_images(self, images: Tensor) -> None:
        if images.dtype != torch.uint8 or images.ndim != 4 or tuple(images.shape[1:]) != tuple(self.image_shape):
            raise DataError(f"The images are {str(images.dtype).removeprefix('torch.')} of shape {tuple(images.shape)}, expected "
                            f"uint8 of shape (B, {', '.join(map(str, self.image_shape))}); make the attack for their shape.")

    def _check_poisoning(self, images: Tensor, labels: Tensor, rate: float, target_label: int) -> None:
        self._check_images(images)
        if labels.shape != images.shape[:1]:
            raise DataError(f"There are {len(images)} images and labels of shape {tuple(labels.shape)}; expected one label an image.")
        if not 0 <= target_label < self.num_classes:
            raise ConfigError(f"The target is {target_label}, expected a class from 0 to {self.num_classes - 1}.")
        if not 0 <= rate <= 1:
            raise ConfigError(f"rate is {rate:g}, expected a number between 0 and 1.")
