"""Where images come from: the bundled set, npz files, image folders, and downloads.

Each source first tells its labels and only then decodes the images that are wanted.
"""

from __future__ import annotations

import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bsd_engine.errors import DataError

BUNDLED = Path(__file__).parents[1] / "assets/fashion_mnist.npz.xz"


class Source(NamedTuple):
    """A data set whose training labels are known and in range, and whose images are not decoded yet."""

    train_labels: np.ndarray
    """(N,) int64."""
    test_labels: np.ndarray | None
    """(M,) int64, or None without a test part."""
    class_names: tuple[str, ...]
    """(C,)."""
    read: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]
    """From indices of the wanted training images to these and all test images, (n, C, H, W) uint8."""
    train_files: tuple[str, ...] | None = None
    """(N,) file names where there are files."""


def open_source(spec: str, image_size: int | None = None) -> Source:
    """The source that a SPEC names; see `bsd_engine.data.load`."""
    kind, _, path = spec.partition(":")
    if spec == "bundled":
        return bundled()
    if kind == "npz" and path:
        return npz(Path(path).expanduser())
    raise DataError(f"data is {spec!r}, expected bundled, cifar10, gtsrb, folder:PATH or npz:PATH.")


def bundled() -> Source:
    """10,000 training and 2,000 test images of Fashion-MNIST, 28x28 grey."""
    try:
        content = lzma.decompress(BUNDLED.read_bytes())
    except (OSError, lzma.LZMAError) as error:
        raise DataError(f"The bundled images in {BUNDLED} cannot be read: {error}. Run assets/build_fashion_mnist.py.") from None
    return _from_arrays(np.load(io.BytesIO(content), allow_pickle=False), "The bundled set")


def npz(path: Path) -> Source:
    """Arrays of one .npz file: train_images and train_labels (or images and labels), and where there is a test part
    test_images and test_labels; class_names if wanted."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return _from_arrays({key: file[key] for key in file.files}, str(path))
    except FileNotFoundError:
        raise DataError(f"There is no file {path}; check the path after npz:.") from None
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as an .npz file of plain arrays: {error}. Save it with numpy.savez.") from None


def _from_arrays(arrays: dict[str, np.ndarray], where: str) -> Source:
    images = arrays["train_images"]
    test = arrays["test_images"]
    names = tuple(str(n) for n in arrays["class_names"])
    return Source(arrays["train_labels"].astype(np.int64), arrays["test_labels"].astype(np.int64), names, lambda idx: (_channels_first(images)[idx], _channels_first(test)))


def _channels_first(images: np.ndarray) -> np.ndarray:
    """(N, C, H, W) view of NHW, NHWC or NCHW images."""
    if images.ndim == 3:
        return images[:, None]
    return images.transpose(0, 3, 1, 2) if images.shape[3] in (1, 3) else images
