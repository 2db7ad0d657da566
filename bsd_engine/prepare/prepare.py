"""From settings to data ready for training; every bad input is found here, before anything starts.

Images stay where their source put them, which for a large folder is a file that is paged in: only the poisoned ones cost
memory of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bsd_engine import attacks
from bsd_engine.compute import runtime
from bsd_engine.compute.plans import seed_for
from bsd_engine.config.data_settings import AttackConfig
from bsd_engine.config.settings import BSDConfig
from bsd_engine.data import dataset
from bsd_engine.data.dataset import PoisonedSet
from bsd_engine.errors import ConfigError

LANDMARKS = 2000


@dataclass(frozen=True, kw_only=True)
class PreparedData:
    """A poisoned training set with what the metrics need. Images are uint8, channels last: (N, H, W, C)."""

    images: Tensor
    labels: Tensor
    """(N,) int64: the given, possibly poisoned labels."""
    is_poison: Tensor | None
    """(N,) bool, for metrics and views only; None where the truth is unknown."""
    original_labels: Tensor | None
    test_images: Tensor | None
    test_labels: Tensor | None
    triggered_images: Tensor | None
    """Test images that count for ASR, with the trigger on: those of the other classes, if not set otherwise; None where
    there are none."""
    triggered_labels: Tensor | None
    """What the attacker wants them to be called."""
    class_names: tuple[str, ...]
    fingerprint: str
    """Of the images and labels, as trained on and tested with."""
    landmark_idx: Tensor
    """(L,) int64: the samples that the maps show."""
    train_files: tuple[str, ...] | None = None
    """(N,) file of each training image below the folder it was read from; None for sources without files."""
    is_noise: Tensor | None = None
    """(N,) bool: samples that the attack changed without poisoning them; None where there are none. Truth, like `is_poison`."""

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.class_names)

    @property
    def nbytes(self) -> int:
        """Bytes of all images, some of which may be in a file that is paged in."""
        return sum(x.nbytes for x in (self.images, self.test_images, self.triggered_images) if x is not None)


def _channels_last(images: Tensor) -> Tensor:
    """(N, H, W, C) view of images that `data.load` gave; their memory is in that order already."""
    return images.permute(0, 2, 3, 1).contiguous()


def _triggered_test(
    attack: attacks.Attack, source: dataset.ImageData, config: AttackConfig
) -> tuple[Tensor | None, Tensor | None]:
    """Triggered test images that count for ASR, and what the attacker wants them to be called; None where there are none."""
    if source.test_labels is None:
        return None, None
    counted = attack.test_mask(source.test_labels, config.target_label)
    idx = (counted if config.asr_exclude_target else torch.ones_like(counted)).nonzero().squeeze(1)
    if len(idx) == 0:
        return None, None
    channels, height, width = source.test_images.shape[1:]
    images = torch.empty(len(idx), height, width, channels, dtype=torch.uint8)
    start = 0
    for part in dataset.chunks(images):
        chosen = idx[start : start + len(part)]
        part.copy_(attack.apply(source.test_images[chosen].contiguous(), chosen).permute(0, 2, 3, 1))
        start += len(part)
    return images, attack.test_labels(source.test_labels[idx], config.target_label)


def prepare(config: BSDConfig) -> PreparedData:
    """Load, check and poison the data of a run; raises `ConfigError` or `DataError` with one sentence."""
    return prepare_with_attack(config)[0]


def prepare_with_attack(config: BSDConfig) -> tuple[PreparedData, attacks.Attack | None]:
    """The same, and the attack that did it, or None: one that crafts its trigger from the data knows it from then on."""
    runtime.choose(config.device)
    source = dataset.load(config.data.data, config.data.limit, config.seed, config.data.image_size)
    _check_labels(config, len(source.class_names))
    attack = _attack_of(config, source)
    poisoned, triggered = _poison(config, attack, source)
    has_test = source.test_images is not None
    prepared = PreparedData(
        images=_channels_last(poisoned.images),
        labels=poisoned.labels,
        is_poison=poisoned.is_poison,
        original_labels=poisoned.original_labels,
        test_images=_channels_last(source.test_images) if has_test else None,
        test_labels=source.test_labels,
        triggered_images=triggered[0],
        triggered_labels=triggered[1],
        class_names=source.class_names,
        fingerprint=replace(source, train_images=poisoned.images, train_labels=poisoned.labels).fingerprint,
        landmark_idx=dataset.landmark_idx(poisoned.labels, LANDMARKS, seed_for(config.seed, "landmarks", -1)),
        train_files=source.train_files,
        is_noise=poisoned.is_noise,
    )
    return prepared, attack


def _poison(
    config: BSDConfig, attack: attacks.Attack | None, source: dataset.ImageData
) -> tuple[PoisonedSet, tuple[Tensor | None, Tensor | None]]:
    """The training set with the attack added, and the triggered test images."""
    if attack is None:
        unknown = PoisonedSet(
            images=source.train_images, labels=source.train_labels, is_poison=None, original_labels=None
        )
        return unknown, (None, None)
    chosen = config.attack
    poisoned = attack.poison(
        source.train_images,
        source.train_labels,
        chosen.rate,
        chosen.target_label,
        config.seed,
        count_mode=chosen.poison_count_mode,
        in_place=True,
    )
    return poisoned, _triggered_test(attack, source, chosen)


def _attack_of(config: BSDConfig, source: dataset.ImageData) -> attacks.Attack | None:
    """The attack of a configuration, fit for the images of a source."""
    chosen = config.attack
    if chosen.attack == "none":
        return None
    parameters = attacks.parse(chosen.attack, chosen.attack_parameters)
    placed = {"device": config.device} if hasattr(attacks.kind(chosen.attack), "device") else {}
    return attacks.make(
        chosen.attack,
        tuple(source.train_images.shape[1:]),
        len(source.class_names),
        config.seed,
        **{**placed, **parameters},
    )


def true_target(config: BSDConfig) -> int | None:
    """The target label of the attack, or None where there is no attack or every class has a target of its own."""
    attack = config.attack.attack
    return config.attack.target_label if attack != "none" and attacks.kind(attack).has_target else None


def _check_labels(config: BSDConfig, num_classes: int) -> None:
    """Target labels must name a class of the data."""
    for name, label in (("target", config.attack.target_label), ("assume_target", config.split.assume_target)):
        used = label is not None and (
            name != "target" or (config.attack.attack != "none" and attacks.kind(config.attack.attack).has_target)
        )
        if used and not 0 <= label < num_classes:
            raise ConfigError(
                f"{name} is {label}, but the data have classes 0 to {num_classes - 1}. Choose one of them."
            )
    shares = config.split.class_shares
    if shares is not None and len(shares) != num_classes:
        raise ConfigError(
            f"class_shares has {len(shares)} numbers, but the data have {num_classes} classes. Give one for each."
        )
