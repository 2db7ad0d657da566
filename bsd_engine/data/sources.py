"""Sources of images: the bundled set, npz files, image folders, and downloads.

The labels of a source are known as soon as it is opened; images are decoded only when they are read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bsd_engine.compute.memory import free_bytes
from bsd_engine.compute.torchvision_compat import import_torchvision
from bsd_engine.data import bundled as bundled_images
from bsd_engine.data.decoded_cache import decoded
from bsd_engine.data.folder import LabelledFiles, labelled_files, name_below, split_folders
from bsd_engine.errors import DataError
from bsd_engine.files.bounded import UNREADABLE, opened
from bsd_engine.files.locations import cache_folder

BUNDLED = bundled_images.PATH
_KEYS = ("train_images", "train_labels", "test_images", "test_labels", "class_names", "images", "labels")
_BOMB_BYTES, _BOMB_RATIO = 100_000_000, 100  # compression shrinks photographs to a half, drawings to a tenth


class Source(NamedTuple):
    """A data set whose labels are known and in range, and whose images are not decoded yet."""

    train_labels: np.ndarray
    """(N,) int64."""
    test_labels: np.ndarray | None
    """(M,) int64, or None without a test part."""
    class_names: tuple[str, ...]
    """(C,)."""
    read: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]
    """From sorted indices of training images to these images and all test images, (n, H, W, C) uint8. Both are
    writable, and may share memory with what a second call returns."""
    train_files: tuple[str, ...] | None = None
    """(N,) paths of the files below the folder; None for sources without files."""


def open_source(spec: str, image_size: int | None = None) -> Source:
    """The source that a SPEC names, as described for `bsd_engine.data.dataset.load`."""
    kind, _, path = spec.partition(":")
    if spec == "bundled":
        return bundled()
    if spec in ("cifar10", "gtsrb"):
        return downloaded(spec, image_size)
    if kind == "npz" and path:
        return npz(Path(path).expanduser())
    if kind == "folder" and path:
        return folder(Path(path).expanduser(), image_size)
    raise DataError(f"data is {spec!r}, expected bundled, cifar10, gtsrb, folder:PATH or npz:PATH.")


def bundled() -> Source:
    """10,000 training and 2,000 test images of Fashion-MNIST, 28x28 grey."""
    shared = _bundled_at(BUNDLED)

    def read(idx: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        # Copies: an attack writes over its input, and the server's next run reads the shared arrays again.
        images, test_images = shared.read(idx)
        return images.copy(), None if test_images is None else test_images.copy()

    return shared._replace(read=read)


@cache
def _bundled_at(path: Path) -> Source:
    """The source in a compressed .npz file, checked once."""
    return _from_arrays(bundled_images.arrays(path), "The bundled set")


def npz(path: Path) -> Source:
    """Arrays of one .npz file.

    They are train_images and train_labels (or images and labels), test_images and test_labels if there is a test part,
    and optionally class_names. Images are uint8, NHW, NHWC or NCHW; labels are whole numbers from 0.
    """
    try:
        # Opened here, because numpy does not close a file that turns out not to be a zip file.
        with opened(path) as (stream, _), np.load(stream, allow_pickle=False) as file:
            _check_sizes(file.zip, path)
            arrays = {key: file[key] for key in _KEYS if key in file.files}
        # numpy returns the bytes of entries that are not .npy files.
        if others := [key for key, array in arrays.items() if not isinstance(array, np.ndarray)]:
            raise ValueError(f"{others[0]} is not an array")
    except FileNotFoundError:
        raise DataError(f"There is no file {path}; check the path after npz:.") from None
    except (OSError, ValueError, *UNREADABLE) as error:
        raise DataError(
            f"{path} cannot be read as an .npz file of plain arrays: {error}. Save it with numpy.savez."
        ) from None
    return _from_arrays(arrays, str(path))


def _check_sizes(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse a zip bomb, or a file that does not fit into memory, before it is unpacked.

    An entry never unpacks to more bytes than it claims, so checking the claims is enough.
    """
    wanted = [info for info in archive.infolist() if info.filename.removesuffix(".npy") in _KEYS]
    unpacked, packed = sum(i.file_size for i in wanted), sum(i.compress_size for i in wanted)
    if unpacked > _BOMB_BYTES and unpacked > _BOMB_RATIO * max(1, packed):
        raise DataError(
            f"{path} would unpack from {packed / 1e6:,.1f} MB to {unpacked / 1e6:,.0f} MB, which images do not; it is "
            "not opened. Save plain arrays with numpy.savez."
        )
    free = free_bytes()
    if unpacked > free:
        raise DataError(
            f"{path} holds {unpacked / 1e9:,.1f} GB of arrays, and {free / 1e9:,.1f} GB of memory are free; use a "
            "folder of images, or fewer or smaller ones."
        )


def _from_arrays(arrays: Mapping[str, np.ndarray], where: str) -> Source:
    prefix = "train_" if "train_images" in arrays else ""
    if not {f"{prefix}images", f"{prefix}labels"} <= arrays.keys():
        raise DataError(
            f"{where} has the arrays {', '.join(arrays) or 'none'}; expected train_images and train_labels."
        )
    if ("test_images" in arrays) != ("test_labels" in arrays):
        raise DataError(f"{where} has only one of test_images and test_labels; give both or neither.")
    images, labels = _checked_part(arrays, prefix, where)
    names = _class_names(arrays.get("class_names"), labels, where)
    test_images, test_labels = _checked_part(arrays, "test_", where) if "test_images" in arrays else (None, None)
    for part in (labels, test_labels):
        if part is not None and part.max() >= len(names):
            raise DataError(
                f"{where} has the label {part.max()}, but there are {len(names)} classes, numbered 0 to "
                f"{len(names) - 1}."
            )
    return Source(labels, test_labels, names, lambda idx: (_rows(images, idx), test_images))


def _rows(images: np.ndarray, idx: np.ndarray) -> np.ndarray:
    """The images at sorted indices; not a copy if these are all images."""
    return images if len(idx) == len(images) else images[idx]


def _checked_part(arrays: Mapping[str, np.ndarray], prefix: str, where: str) -> tuple[np.ndarray, np.ndarray]:
    images = _channels_last(arrays[f"{prefix}images"], f"{prefix}images of {where}")
    labels = _whole_labels(arrays[f"{prefix}labels"], f"{prefix}labels of {where}")
    if len(images) != len(labels):
        raise DataError(
            f"{where} has {len(images)} {prefix}images and {len(labels)} {prefix}labels; expected one label per image."
        )
    return images, labels


def _channels_last(images: np.ndarray, what: str) -> np.ndarray:
    """(N, H, W, C) view of NHW, NHWC or NCHW images."""
    if images.dtype != np.uint8:
        raise DataError(
            f"The array {what} is {images.dtype}, expected uint8; scale the pixels to 0 ... 255 and convert them."
        )
    if images.ndim == 3:
        return images[..., None]
    if images.ndim == 4 and images.shape[3] in (1, 3):
        return images
    if images.ndim == 4 and images.shape[1] in (1, 3):
        return images.transpose(0, 2, 3, 1)
    raise DataError(
        f"The array {what} has the shape {images.shape}, expected (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 "
        "channels."
    )


def _whole_labels(labels: np.ndarray, what: str) -> np.ndarray:
    """(N,) int64 from any array of whole numbers from 0, even if stored as floats or as one column."""
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.ndim != 1 or len(flat) == 0:
        raise DataError(
            f"The array {what} has the shape {labels.shape}, expected (N,) with one class number per image."
        )
    if flat.dtype.kind not in "iuf" or not np.isfinite(flat).all() or (flat != np.floor(flat)).any():
        raise DataError(
            f"The array {what} holds values that are not whole numbers; expected class numbers 0, 1, 2, ..."
        )
    if flat.min() < 0 or flat.max() > np.iinfo(np.int32).max:
        raise DataError(f"The array {what} goes from {flat.min()} to {flat.max()}; expected class numbers 0, 1, 2, ...")
    return flat.astype(np.int64)


def _class_names(names: np.ndarray | None, labels: np.ndarray, where: str) -> tuple[str, ...]:
    """The names of the classes, or their numbers if no names are given."""
    if names is not None:
        if names.ndim != 1 or names.dtype.kind not in "US":
            raise DataError(
                f"class_names of {where} is {names.dtype} of shape {names.shape}, expected a list of texts."
            )
        return _as_texts(names, where)
    missing = np.setdiff1d(np.arange(min(labels.max(), len(labels))), labels)
    if len(missing):
        raise DataError(
            f"{where} has labels up to {labels.max()} but none with {missing[0]}; number the classes from 0 without "
            "gaps."
        )
    return tuple(str(c) for c in range(labels.max() + 1))


def _as_texts(names: np.ndarray, where: str) -> tuple[str, ...]:
    """Names as texts. An array may hold code points that Unicode lacks; some versions of numpy cannot read them."""
    try:
        texts = tuple(name.decode() if isinstance(name, bytes) else name for name in names.tolist())
        for text in texts:
            text.encode()
    except (ValueError, SystemError):
        raise DataError(
            f"class_names of {where} holds characters that are not Unicode; write the names anew."
        ) from None
    return texts


def folder(root: Path, image_size: int | None = None) -> Source:
    """Images in PATH/train/<class>/ and, if there is a test part, PATH/test/<class>/; or in PATH/<class>/ alone.

    The test part may also be called val, valid or validation.
    """
    train_folder, test_folder = split_folders(root)
    train = labelled_files(train_folder)
    test = labelled_files(test_folder, train.class_names) if test_folder else None
    return _from_files(root, train, test, image_size)


def _from_files(root: Path, train: LabelledFiles, test: LabelledFiles | None, image_size: int | None) -> Source:
    """A source that decodes training and test images together, since both get the same size and colour mode."""
    test_files = test.files if test else []

    def read(idx: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        images = decoded([train.files[i] for i in idx] + test_files, root, image_size, cache_folder() / "decoded")
        return images[: len(idx)], images[len(idx) :] if test_files else None

    names = tuple(name_below(root, file) for file in train.files)
    return Source(train.labels, test.labels if test and test_files else None, train.class_names, read, names)


def downloaded(name: str, image_size: int | None = None) -> Source:
    """CIFAR-10 or GTSRB: an image folder of that name in the cache folder, or torchvision's download.

    torchvision's GTSRB has 26,640 training images (those of the 2011 competition), not the 39,209 of the final set
    that the literature uses; an image folder may hold the latter.
    """
    root = cache_folder()
    if (root / name / "train").is_dir():
        return folder(root / name, image_size)
    try:
        return _cifar10(root) if name == "cifar10" else _gtsrb(root, image_size)
    except (OSError, RuntimeError, ImportError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{name} is not in {root} and cannot be downloaded ({error}); connect to the internet, or put its images "
            f"into {root / name}/train/<class>/ and {root / name}/test/<class>/, or set BSD_DATA to the folder above "
            f"{name}/."
        ) from None


def _cifar10(root: Path) -> Source:
    dataset = import_torchvision().datasets.CIFAR10
    train, test = (dataset(root, train=is_train, download=True) for is_train in (True, False))
    images, test_images = train.data, test.data
    labels, test_labels = (np.array(part.targets, np.int64) for part in (train, test))
    return Source(labels, test_labels, tuple(train.classes), lambda idx: (_rows(images, idx), test_images))


def _gtsrb(root: Path, image_size: int | None) -> Source:
    dataset = import_torchvision().datasets.GTSRB
    names = tuple(f"{c:05d}" for c in range(43))

    def part(split: str) -> LabelledFiles:
        # `_samples` is private, but the public way to get a label decodes the image first, in one thread.
        pairs = dataset(root, split=split, download=True)._samples
        return LabelledFiles([Path(p) for p, _ in pairs], np.array([y for _, y in pairs], np.int64), names)

    return _from_files(root, part("train"), part("test"), image_size)
