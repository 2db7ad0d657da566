"""Training data as plain tensors: the checked images of a source, and the poisoned set made from them.

N samples, C channels (C classes where a label is meant), H and W pixels. Images are indexed (N, C, H, W); in memory
their channels come last, which is how they are trained on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from bsd_engine.data import sources
from bsd_engine.data.decoding import resize
from bsd_engine.errors import DataError

MIN_PER_CLASS = 2  # class centres, mixup partners and a split need two
MIN_PIXELS = 8  # small_resnet halves the image three times
_CHUNK_BYTES = 4_000_000  # copied at a time, so that copies are small beside the data

AnyArray = TypeVar("AnyArray", Tensor, np.ndarray)
"""Tensors in, tensors out; numpy arrays in, numpy arrays out."""


@dataclass(frozen=True, kw_only=True)
class ImageData:
    """Images of one source, not poisoned by this program."""

    train_images: Tensor
    """(N, C, H, W) uint8, channels last in memory, like the test images."""
    train_labels: Tensor
    """(N,) int64, 0-based."""
    test_images: Tensor | None
    """(M, C, H, W) uint8, or None if the source has no test part."""
    test_labels: Tensor | None
    """(M,) int64."""
    class_names: tuple[str, ...]
    """Name of each class."""
    source_idx: Tensor | None = None
    """(N,) int64, sorted: position of each training image in its source; `load` always sets it."""
    train_files: tuple[str, ...] | None = None
    """Path of each training image below the folder it was read from; None for sources without files."""

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change with any pixel, label or shape."""
        digest = hashlib.blake2b(digest_size=8)
        for tensor in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(repr(None if tensor is None else tuple(tensor.shape)).encode())
            if tensor is not None:
                for chunk in chunks(tensor):
                    digest.update(chunk.contiguous().numpy().data)
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class PoisonedSet(Generic[AnyArray]):
    """The training set as the defender gets it, with the ground truth if it is known.

    Only metrics and views may read `is_poison`, `original_labels` and `is_noise`.
    """

    images: AnyArray
    """(N, C, H, W) uint8."""
    labels: AnyArray
    """(N,) int64: given labels, some of them wrong."""
    is_poison: AnyArray | None
    """(N,) bool, or None if the ground truth is unknown."""
    original_labels: AnyArray | None
    """(N,) int64: labels before poisoning, or None."""
    is_noise: AnyArray | None = None
    """(N,) bool: samples that the attack changed without poisoning them; None if there are none."""


def chunks(array: Tensor) -> tuple[Tensor, ...]:
    """The rows of an array in parts of a few megabytes, each of at least one row."""
    return array.split(max(1, _CHUNK_BYTES * len(array) // max(1, array.nbytes)))


def stratified_idx(labels: Tensor, limit: int, seed: int, *, equal: bool = False) -> Tensor:
    """Sorted indices of `limit` samples; each class keeps its share of the whole set.

    Parameters
    ----------
    labels : (N,) int64
    limit : int
        Number of samples to choose. The first `MIN_PER_CLASS` of each class come before all others.
    seed : int
        Under the same seed, a lower limit chooses a subset of the choice of a higher one.
    equal : bool
        Give every class an equal share instead; what a small class lacks is spread over the others.

    Returns
    -------
    (limit,) int64

    Raises
    ------
    DataError
        If there are fewer than `limit` samples.
    """
    if not 1 <= limit <= len(labels):
        raise DataError(
            f"The limit is {limit}, but there are {len(labels)} images; give a limit from 1 to {len(labels)}, or none."
        )
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    order = shuffled[torch.argsort(labels[shuffled], stable=True)]
    _, sizes = torch.unique(labels, return_counts=True)
    rank = torch.cat([torch.arange(n) for n in sizes.tolist()])
    turn = rank if equal else torch.where(rank < MIN_PER_CLASS, -1.0, (rank + 0.5) / sizes.repeat_interleave(sizes))
    return order[torch.argsort(turn, stable=True)[:limit]].sort().values


def landmark_idx(labels: Tensor, count: int, seed: int) -> Tensor:
    """Sorted indices of the samples that the maps show: at most `count`, with an equal share for each class."""
    return stratified_idx(labels, min(count, len(labels)), seed, equal=True)


def load(spec: str, limit: int | None = None, seed: int = 0, image_size: int | None = None) -> ImageData:
    """Images and labels of a source, checked.

    Parameters
    ----------
    spec : str
        bundled, cifar10, gtsrb, folder:PATH or npz:PATH.
    limit : int, optional
        Number of training images to keep, by `stratified_idx`; the test part stays whole.
    seed : int
        Seed of that choice.
    image_size : int, optional
        Height and width in pixels that all images are resized to. By default, images from files keep their size if it
        is the same for all and at most 64 pixels, and otherwise become 32x32; images from arrays keep their size.

    Raises
    ------
    DataError
        One sentence that says what is wrong with the data and what to do.
    """
    source = sources.open_source(spec, image_size)
    _check_classes(source.train_labels, source.class_names)
    labels = torch.from_numpy(source.train_labels)
    _check_limit(limit, len(source.class_names))
    idx = torch.arange(len(labels)) if limit is None else stratified_idx(labels, min(limit, len(labels)), seed)
    images, test_images = source.read(idx.numpy())
    if image_size:
        images = resize(images, image_size)
        test_images = None if test_images is None else resize(test_images, image_size)
    _check_same_shape(images, test_images)
    return ImageData(
        train_images=_checked_images(images),
        train_labels=labels[idx],
        test_images=None if test_images is None else _checked_images(test_images),
        test_labels=None if source.test_labels is None else torch.from_numpy(source.test_labels),
        class_names=source.class_names,
        source_idx=idx,
        train_files=source.train_files and tuple(source.train_files[i] for i in idx.tolist()),
    )


def _check_limit(limit: int | None, num_classes: int) -> None:
    if limit is not None and limit < MIN_PER_CLASS * num_classes:
        raise DataError(
            f"The limit is {limit}, but {num_classes} classes need at least {MIN_PER_CLASS * num_classes} images; "
            "raise it."
        )


def _check_same_shape(images: np.ndarray, test_images: np.ndarray | None) -> None:
    """Raise `DataError` if test images of (N, H, W, C) have another shape than the training images."""
    if test_images is not None and test_images.shape[1:] != images.shape[1:]:
        raise DataError(
            f"The test images are {_size(test_images)}, the training images {_size(images)} (channels, height, width); "
            "expected the same."
        )


def _size(images: np.ndarray) -> str:
    _, height, width, channels = images.shape
    return f"{channels}x{height}x{width}"


def _checked_images(images: np.ndarray) -> Tensor:
    """(N, C, H, W) view of (N, H, W, C) images; raises `DataError` if they are too small."""
    _, height, width, _ = images.shape
    if min(height, width) < MIN_PIXELS:
        raise DataError(
            f"The images have {height}x{width} pixels, expected at least {MIN_PIXELS}x{MIN_PIXELS}; enlarge them."
        )
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)


def _check_classes(labels: np.ndarray, class_names: tuple[str, ...]) -> None:
    """Raise `DataError` unless every class has enough training images; the labels are known to be in range."""
    counts = np.bincount(labels, minlength=len(class_names))
    if len(counts) < 2:
        raise DataError(f"The training images are all of one class, {class_names[0]!r}; expected at least two classes.")
    few = [f"{class_names[i]!r}: {counts[i]}" for i in np.flatnonzero(counts < MIN_PER_CLASS)]
    if few:
        raise DataError(
            f"{len(few)} of {len(counts)} classes have fewer than {MIN_PER_CLASS} training images ({', '.join(few[:3])}"
            f"{', ...' if len(few) > 3 else ''}); add images or remove these classes."
        )
