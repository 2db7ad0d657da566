"""From settings to data ready for training; every bad input is found here, before anything starts.

Images stay where their source put them, which for a large folder is a file that is paged in: only the poisoned ones cost
memory of their own.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bsd_engine import attacks
from bsd_engine.compute import runtime
from bsd_engine.compute.plans import seed_for
from bsd_engine.config.settings import AttackConfig, BSDConfig
from bsd_engine.data import dataset
from bsd_engine.data.dataset import PoisonedSet
from bsd_engine.errors import ConfigError

LANDMARKS = 2000
NAMED_DUPLICATES = 3  # in the text of a report


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


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Training images with the same pixels, two or more."""

    idx: tuple[int, ...]
    """Their numbers in the training set, rising."""
    labels: tuple[int, ...]
    """Their given labels."""
    files: tuple[str, ...] | None
    """Their files, where there are files."""

    @property
    def have_one_label(self) -> bool:
        """Whether they all have the same given label."""
        return len(set(self.labels)) == 1

    def line(self, class_names: tuple[str, ...]) -> str:
        """Each image with its label, the first few of many."""
        shown = [
            f"{self.files[n] if self.files else f'image {i}'} ({class_names[label]})"
            for n, (i, label) in enumerate(zip(self.idx, self.labels))
        ]
        return ", ".join(shown[:4]) + (", ..." if len(shown) > 4 else "")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is known about the data before training, by what the defender sees: pixels and given labels."""

    class_names: tuple[str, ...]
    class_counts: tuple[int, ...]
    """(C,) training images with each given label."""
    num_train: int
    num_test: int
    height: int
    """Pixels."""
    width: int
    channels: int
    """1 for grey, 3 for colour."""
    nbytes: int
    """Bytes of all images, triggered test images included."""
    num_duplicate_groups: int
    """Groups of training images with the same pixels."""
    conflicts: tuple[Duplicates, ...]
    """Those groups that have more than one given label, by their first image."""

    def lines(self) -> list[str]:
        """The report as text."""
        few, many = min(self.class_counts), max(self.class_counts)
        smallest, largest = (self.class_names[self.class_counts.index(n)] for n in (few, many))
        return [
            f"training images: {self.num_train:,} in {len(self.class_counts)} classes, "
            f"{few:,} ({smallest}) to {many:,} ({largest}) a class",
            f"test images: {self.num_test:,}" if self.num_test else "test images: none, so accuracy will be unknown",
            f"size: {self.height}x{self.width} pixels, {'grey' if self.channels == 1 else 'colour'}; {self.nbytes / 1e6:,.0f} MB in all",
            f"exact duplicates: {_count(self.num_duplicate_groups, 'group')} of images with the same pixels, "
            f"{len(self.conflicts):,} of them with different labels",
            *(f"  {group.line(self.class_names)}" for group in self.conflicts[:NAMED_DUPLICATES]),
            *(
                [f"  and {len(self.conflicts) - NAMED_DUPLICATES:,} more"]
                if len(self.conflicts) > NAMED_DUPLICATES
                else []
            ),
        ]

    @property
    def warning(self) -> str | None:
        """One sentence where images with the same pixels have different labels, or None."""
        if not self.conflicts:
            return None
        return (
            f"{_count(len(self.conflicts), 'group')} of training images with the same pixels have different labels, such as "
            f"{self.conflicts[0].line(self.class_names)}; at most one label of a group can be right."
        )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def report(prepared: PreparedData) -> Report:
    """The report on prepared data. Reads every training image once: 2 s a gigabyte (one Zen core)."""
    groups = _duplicates(prepared)
    _, height, width, channels = prepared.images.shape
    return Report(
        class_names=prepared.class_names,
        class_counts=tuple(prepared.labels.bincount(minlength=prepared.num_classes).tolist()),
        num_train=len(prepared.labels),
        num_test=0 if prepared.test_labels is None else len(prepared.test_labels),
        height=height,
        width=width,
        channels=channels,
        nbytes=prepared.nbytes,
        num_duplicate_groups=len(groups),
        conflicts=tuple(group for group in groups if not group.have_one_label),
    )


def _duplicates(prepared: PreparedData) -> list[Duplicates]:
    """Groups of training images with the same pixels, by their first image; 16-byte digests stand for the pixels."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for i, image in enumerate(prepared.images.numpy()):
        same[hashlib.blake2b(image, digest_size=16).digest()].append(i)
    labels, files = prepared.labels.tolist(), prepared.train_files
    return [
        Duplicates(idx=tuple(idx), labels=tuple(labels[i] for i in idx), files=files and tuple(files[i] for i in idx))
        for idx in same.values()
        if len(idx) > 1
    ]
