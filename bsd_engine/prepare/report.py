"""A report on the data before training, from what the defender sees: counts, sizes and exact duplicates."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

from bsd_engine.prepare.prepare import PreparedData

NAMED_DUPLICATES = 3  # groups that the text of a report names


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Two or more training images with the same pixels."""

    idx: tuple[int, ...]
    """Their numbers in the training set, ascending."""
    labels: tuple[int, ...]
    """Their given labels."""
    files: tuple[str, ...] | None
    """Their files; None for sources without files."""

    @property
    def have_one_label(self) -> bool:
        """Whether they all have the same given label."""
        return len(set(self.labels)) == 1

    def line(self, class_names: tuple[str, ...]) -> str:
        """Each image with its label, or the first few if there are many."""
        shown = [
            f"{self.files[n] if self.files else f'image {i}'} ({class_names[label]})"
            for n, (i, label) in enumerate(zip(self.idx, self.labels))
        ]
        return ", ".join(shown[:4]) + (", ..." if len(shown) > 4 else "")


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """What is known about the data before training, from pixels and given labels."""

    class_names: tuple[str, ...]
    class_counts: tuple[int, ...]
    """(C,) number of training images with each given label."""
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
    """The groups that have more than one given label, ordered by their first image."""

    def lines(self) -> list[str]:
        """The report as text."""
        few, many = min(self.class_counts), max(self.class_counts)
        unnamed = len(self.conflicts) - NAMED_DUPLICATES
        smallest, largest = (self.class_names[self.class_counts.index(n)] for n in (few, many))
        return [
            f"training images: {self.num_train:,} in {len(self.class_counts)} classes, "
            f"{few:,} ({smallest}) to {many:,} ({largest}) a class",
            f"test images: {self.num_test:,}" if self.num_test else "test images: none, so accuracy will be unknown",
            f"size: {self.height}x{self.width} pixels, {'grey' if self.channels == 1 else 'colour'}; "
            f"{self.nbytes / 1e6:,.0f} MB in all",
            f"exact duplicates: {_count(self.num_duplicate_groups, 'group')} of images with the same pixels, "
            f"{len(self.conflicts):,} of them with different labels",
            *(f"  {group.line(self.class_names)}" for group in self.conflicts[:NAMED_DUPLICATES]),
            *([f"  and {unnamed:,} more"] if unnamed > 0 else []),
        ]

    @property
    def warning(self) -> str | None:
        """One sentence if images with the same pixels have different labels, or None."""
        if not self.conflicts:
            return None
        return (
            f"{_count(len(self.conflicts), 'group')} of training images with the same pixels have different labels, "
            f"such as {self.conflicts[0].line(self.class_names)}; at most one label of a group can be right."
        )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def report(prepared: PreparedData) -> DataReport:
    """The report on prepared data. It reads every training image once: 2 s per gigabyte (one Zen core)."""
    groups = _duplicates(prepared)
    _, height, width, channels = prepared.images.shape
    return DataReport(
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
    """Groups of training images with equal 16-byte digests of their pixels, ordered by their first image."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for i, image in enumerate(prepared.images.numpy()):
        same[hashlib.blake2b(image, digest_size=16).digest()].append(i)
    labels, files = prepared.labels.tolist(), prepared.train_files
    return [
        Duplicates(idx=tuple(idx), labels=tuple(labels[i] for i in idx), files=files and tuple(files[i] for i in idx))
        for idx in same.values()
        if len(idx) > 1
    ]
