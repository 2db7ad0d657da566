"""From settings to data ready for training; every bad input is found here, before anything starts.

Images stay where their source put them, which for a large folder is a memory-mapped file: only the poisoned ones take
memory of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from bsd_engine.attacks import Attack
from bsd_engine.compute import runtime
from bsd_engine.compute.plans import seed_for
from bsd_engine.config.settings import BSDConfig
from bsd_engine.data import dataset
from bsd_engine.data.dataset import ImageData, PoisonedSet
from bsd_engine.errors import ConfigError
from bsd_engine.prepare.chosen_attack import AttackKind, attack_kind, make_attack
from bsd_engine.prepare.trigger_tests import triggered_test

LANDMARKS = 2000


@dataclass(frozen=True, kw_only=True)
class PreparedData:
    """A poisoned training set with what the metrics need. Images are uint8, channels last: (N, H, W, C)."""

    images: Tensor
    labels: Tensor
    """(N,) int64: the given labels, some of them poisoned."""
    is_poison: Tensor | None
    """(N,) bool, for metrics and views only; None if the ground truth is unknown."""
    original_labels: Tensor | None
    """(N,) int64: the labels before poisoning; None if the ground truth is unknown."""
    test_images: Tensor | None
    test_labels: Tensor | None
    triggered_images: Tensor | None
    """Test images that count for the ASR, with the trigger: those of the other classes unless set otherwise; None if
    there are none."""
    triggered_labels: Tensor | None
    """The label that the attacker wants for each of them."""
    class_names: tuple[str, ...]
    fingerprint: str
    """Of the images and labels, as trained on and tested with."""
    landmark_idx: Tensor
    """(L,) int64: the samples that the maps show."""
    train_files: tuple[str, ...] | None = None
    """(N,) path of each training image below the folder it was read from; None for sources without files."""
    is_noise: Tensor | None = None
    """(N,) bool: samples that the attack changed without poisoning them; None if there are none. Ground truth, like
    `is_poison`."""

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.class_names)

    @property
    def nbytes(self) -> int:
        """Bytes of all images, including those in a memory-mapped file."""
        return sum(x.nbytes for x in (self.images, self.test_images, self.triggered_images) if x is not None)


def prepare(config: BSDConfig) -> PreparedData:
    """Load, check and poison the data of a run; raises `ConfigError` or `DataError` with one sentence."""
    return prepare_with_attack(config)[0]


def prepare_with_attack(config: BSDConfig) -> tuple[PreparedData, Attack | None]:
    """What `prepare` returns, and the attack that poisoned it, or None.

    An attack that crafts its trigger from the data keeps it: its `apply` adds the trigger that this training set has.
    """
    runtime.choose(config.device)
    source = dataset.load(config.data.data, config.data.limit, config.seed, config.data.image_size)
    kind = attack_kind(config.attack)
    _check_labels(config, kind, len(source.class_names))
    attack = None if kind is None else make_attack(config, kind, source)
    poisoned = _poison(config, attack, source)
    triggered_images, triggered_labels = triggered_test(attack, source, config.attack)
    prepared = PreparedData(
        images=_channels_last(poisoned.images),
        labels=poisoned.labels,
        is_poison=poisoned.is_poison,
        original_labels=poisoned.original_labels,
        test_images=None if source.test_images is None else _channels_last(source.test_images),
        test_labels=source.test_labels,
        triggered_images=triggered_images,
        triggered_labels=triggered_labels,
        class_names=source.class_names,
        fingerprint=replace(source, train_images=poisoned.images, train_labels=poisoned.labels).fingerprint,
        landmark_idx=dataset.landmark_idx(poisoned.labels, LANDMARKS, seed_for(config.seed, "landmarks", -1)),
        train_files=source.train_files,
        is_noise=poisoned.is_noise,
    )
    return prepared, attack


def true_target(config: BSDConfig) -> int | None:
    """The target label of the attack; None without an attack, or if every class has a target of its own."""
    kind = attack_kind(config.attack)
    return config.attack.target_label if kind is not None and kind.has_target else None


def _check_labels(config: BSDConfig, kind: AttackKind | None, num_classes: int) -> None:
    """Raise `ConfigError` unless the target labels are classes of the data and class_shares has one number for each."""
    target = config.attack.target_label if kind is not None and kind.has_target else None
    for name, label in (("target", target), ("assume_target", config.split.assume_target)):
        if label is not None and not 0 <= label < num_classes:
            raise ConfigError(
                f"{name} is {label}, but the data have classes 0 to {num_classes - 1}. Choose one of them."
            )
    shares = config.split.class_shares
    if shares is not None and len(shares) != num_classes:
        raise ConfigError(
            f"class_shares has {len(shares)} numbers, but the data have {num_classes} classes. Give one for each."
        )


def _poison(config: BSDConfig, attack: Attack | None, source: ImageData) -> PoisonedSet[Tensor]:
    """The training set with the attack added, written over the source's images; unchanged without an attack."""
    if attack is None:
        return PoisonedSet(images=source.train_images, labels=source.train_labels, is_poison=None, original_labels=None)
    settings = config.attack
    return attack.poison(
        source.train_images,
        source.train_labels,
        settings.rate,
        settings.target_label,
        config.seed,
        count_mode=settings.poison_count_mode,
        in_place=True,
    )


def _channels_last(images: Tensor) -> Tensor:
    """(N, H, W, C) view of images that `dataset.load` returned; their memory is in that order already."""
    return images.permute(0, 2, 3, 1).contiguous()
