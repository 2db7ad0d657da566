"""What every attack has in common: which samples are poisoned, how they are relabelled, and which settings are invalid.

An attack is a frozen dataclass; its fields are its parameters, and the text under each is that parameter's help.
A new attack subclasses `Attack`, defines in `_trigger` what the trigger does to images, and is listed in the registry
in `bsd_engine/attacks/__init__.py`.
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

from bsd_engine.attacks.parameters import check_type
from bsd_engine.attacks.sampling import choice
from bsd_engine.config.data_settings import PoisonCountMode
from bsd_engine.data.dataset import AnyArray, PoisonedSet
from bsd_engine.errors import ConfigError, DataError

Array = np.ndarray | Tensor
Change = Callable[[Tensor, Tensor], Tensor]
"""From (B, C, H, W) uint8 images and their (B,) numbers in the data set to the changed images."""
_CHUNK_VALUES = 2**20  # pixel values that are changed at a time: a few MB as floats, however many and large the images


def _tensor(array: Array) -> Tensor:
    """A writable copy as a tensor."""
    return array.clone() if isinstance(array, Tensor) else torch.from_numpy(np.array(array))


def _same_memory(array: Array) -> Tensor:
    """The array as a tensor that shares its memory; raises `DataError` if it is read-only."""
    if isinstance(array, Tensor):
        return array
    if not array.flags.writeable:
        raise DataError(
            "The images are read-only, expected an array that may be written to; poison a copy instead of in place."
        )
    return torch.from_numpy(array)


def _like(result: Tensor, example: AnyArray) -> AnyArray:
    return result if isinstance(example, Tensor) else result.numpy()


def _mask(idx: Tensor, size: int) -> Tensor:
    mask = torch.zeros(size, dtype=torch.bool)
    mask[idx] = True
    return mask


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """Base of all attacks.

    Everything random about the trigger itself (a pattern, noise for each sample) depends on `seed`; which samples are
    poisoned depends on the seed passed to `poison`.
    """

    clean_label: ClassVar[bool] = False
    """Whether the attack keeps labels and poisons samples of the target class only."""
    default_rate: ClassVar[float] = 0.05
    """Poisoning rate when none is given."""
    has_target: ClassVar[bool] = True
    """Whether there is one target label; otherwise every class has its own."""

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
        """Images with the trigger. `images` is a copy and may be changed; `indices` are the samples' numbers."""

    def _poison_images(self, images: Tensor, indices: Tensor, target_label: int) -> Tensor:
        """Images as they go into the training set; overridden by attacks that do more to them than add the trigger."""
        return self._trigger(images, indices)

    def _poisoner(self, images: Tensor, labels: Tensor, idx: Tensor, target_label: int) -> Change:
        """The change that poisons images; overridden by attacks that derive it from the whole clean set.

        `idx` (P,) are the samples to poison; images and labels are still clean and must not be changed.
        """
        return lambda part, numbers: self._poison_images(part, numbers, target_label)

    def _noise_count(self, samples: int, poisoned: int) -> int:
        """How many samples of a set are changed without being poisoned; zero for most attacks."""
        return 0

    def _noise_eligible(self, labels: Tensor, target_label: int) -> Tensor:
        """(N,) bool: samples that may become noise samples unless they are poisoned."""
        return torch.ones_like(labels, dtype=torch.bool)

    def _noise_images(self, images: Tensor, indices: Tensor) -> Tensor:
        """Images of noise samples, for attacks that have them."""
        return images

    def _poison_labels(self, labels: Tensor, target_label: int) -> Tensor:
        """The labels that poisoned samples with these original labels get."""
        return labels if self.clean_label else self.test_labels(labels, target_label)

    def eligible(self, labels: Tensor, target_label: int) -> Tensor:
        """(N,) bool: samples that the attack may poison."""
        return (labels == target_label) == self.clean_label

    def test_mask(self, labels: Tensor, target_label: int) -> Tensor:
        """(M,) bool: triggered test images that count for the ASR, by default those of the other classes."""
        return labels != target_label

    def test_labels(self, labels: Tensor, target_label: int) -> Tensor:
        """(M,) int64: the labels that the attacker wants for triggered images with these original labels."""
        return torch.full_like(labels, target_label)

    def apply(self, images: AnyArray, indices: Array | None = None) -> AnyArray:
        """Images with the trigger alone, as at test time; the input is not changed.

        Parameters
        ----------
        images : (B, C, H, W) uint8
        indices : (B,) int, optional
            Number of each sample in its data set, for attacks whose trigger differs from sample to sample; 0 ... B-1
            when not given.

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
        images: AnyArray,
        labels: AnyArray,
        rate: float | None,
        target_label: int,
        seed: int,
        *,
        in_place: bool = False,
        count_mode: PoisonCountMode = "exact_nontarget",
    ) -> PoisonedSet[AnyArray]:
        """The training set that the victim gets, and the ground truth about it.

        Parameters
        ----------
        images : (N, C, H, W) uint8
        labels : (N,) int64
        rate : float or None
            Poisoning rate rho, as a share of the eligible samples: those of the other classes, or of the target class
            for a clean-label attack. `default_rate` when None.
        target_label : int
        seed : int
            Decides which samples are poisoned; those of a lower rate are among those of a higher one.
        in_place : bool
            Write the poisoned images over the given ones, which avoids a copy of all images. By default the images are
            not changed; the labels never are.
        count_mode : PoisonCountMode
            How the rate is turned into a number of samples, see `AttackConfig.poison_count_mode`.

        Raises
        ------
        ConfigError
            If the target is not a class, or the rate poisons no sample or more samples than are eligible.
        DataError
            If images and labels do not fit the attack or each other, or read-only images are to be changed in place.

        Paper: section 3.1 says |D_c| = (1 - rho) N. The code bases differ. Our default is the expected count of ASD and
        DBD, where each sample of another class is poisoned with probability rho: 2,250 of CIFAR-10 at rho = 0.05.
        """
        x, y = _same_memory(images) if in_place else _tensor(images), _tensor(labels)
        rate = self.default_rate if rate is None else rate
        self._check_poisoning(x, y, rate, target_label)
        generator = torch.Generator().manual_seed(seed)
        idx = choice.poison_idx(self.eligible(y, target_label), rate, self._supported_mode(count_mode), generator)
        is_poison = _mask(idx, len(y))
        noise_idx = choice.noise_idx(
            self._noise_eligible(y, target_label) & ~is_poison, self._noise_count(len(y), len(idx)), generator
        )
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

    def _supported_mode(self, mode: PoisonCountMode) -> PoisonCountMode:
        """The mode itself, or the default for attacks to which modes that count all samples do not apply.

        Those modes differ in whether they poison the target class, a question that only arises for attacks that have
        one target and change labels.
        """
        applies = mode == "bernoulli_nontarget" or (self.has_target and not self.clean_label)
        return mode if applies else "exact_nontarget"

    def _change(self, images: Tensor, idx: Tensor, change: Change) -> None:
        """Change the images at `idx` in place, a part at a time."""
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
                f"There are {len(images)} images and labels of shape {tuple(labels.shape)}; expected one label per "
                "image."
            )
        if self.has_target and not 0 <= target_label < self.num_classes:
            raise ConfigError(f"The target is {target_label}, expected a class from 0 to {self.num_classes - 1}.")
        if not 0 <= rate <= 1:
            raise ConfigError(f"rate is {rate:g}, expected a number between 0 and 1.")
