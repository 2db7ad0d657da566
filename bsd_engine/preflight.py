"""From settings to data ready for training; every bad input is found here, before anything starts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bsd_engine import attacks, data, runtime
from bsd_engine.config import AttackConfig, BSDConfig
from bsd_engine.data import PoisonedSet
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

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.class_names)


def _channels_last(images: Tensor) -> Tensor:
    return images.permute(0, 2, 3, 1).contiguous()


def _triggered_test(attack: attacks.Attack, source: data.ImageData, config: AttackConfig) -> tuple[Tensor | None, Tensor | None]:
    """Triggered test images that count for ASR, and what the attacker wants them to be called; None where there are none."""
    if source.test_labels is None:
        return None, None
    counted = attack.test_mask(source.test_labels, config.target_label)
    idx = (counted if config.asr_exclude_target else torch.ones_like(counted)).nonzero().squeeze(1)
    if len(idx) == 0:
        return None, None
    return _channels_last(attack.apply(source.test_images[idx], idx)), attack.test_labels(source.test_labels[idx], config.target_label)


def prepare(config: BSDConfig) -> PreparedData:
    """Load, check and poison the data of a run; raises `ConfigError` or `DataError` with one sentence."""
    runtime.choose(config.device)
    source = data.load(config.data.data, config.data.limit, config.seed)
    _check_labels(config, len(source.class_names))
    poisoned, triggered = _poison(config, source)
    has_test = source.test_images is not None
    return PreparedData(
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
        landmark_idx=data.landmark_idx(poisoned.labels, min(LANDMARKS, len(poisoned.labels)), config.seed),
    )


def _poison(config: BSDConfig, source: data.ImageData) -> tuple[PoisonedSet, tuple[Tensor | None, Tensor | None]]:
    """The training set with the attack added, and the triggered test images."""
    if config.attack.attack == "none":
        unknown = PoisonedSet(images=source.train_images, labels=source.train_labels, is_poison=None, original_labels=None)
        return unknown, (None, None)
    shape, chosen = tuple(source.train_images.shape[1:]), config.attack
    parameters = attacks.parse(chosen.attack, chosen.attack_parameters)
    attack = attacks.make(chosen.attack, shape, len(source.class_names), config.seed, **parameters)
    poisoned = attack.poison(source.train_images, source.train_labels, chosen.rate, chosen.target_label, config.seed,
                             count_mode=chosen.poison_count_mode)
    return poisoned, _triggered_test(attack, source, chosen)


def true_target(config: BSDConfig) -> int | None:
    """The target label of the attack, or None where there is no attack or every class has a target of its own."""
    attack = config.attack.attack
    return config.attack.target_label if attack != "none" and attacks.kind(attack).has_target else None


def _check_labels(config: BSDConfig, num_classes: int) -> None:
    """Target labels must name a class of the data."""
    for name, label in (("target", config.attack.target_label), ("assume_target", config.split.assume_target)):
        used = label is not None and (name != "target" or config.attack.attack != "none")
        if used and not 0 <= label < num_classes:
            raise ConfigError(f"{name} is {label}, but the data have classes 0 to {num_classes - 1}. Choose one of them.")
