"""Folders of images: one folder a class, any size and colour mode, decoded by several threads."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from bsd_engine.errors import DataError

DEFAULT_SIZE = 32
LARGEST_KEPT_SIZE = 64
_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
# What Pillow raises on broken files of one kind or another.
_UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError, struct.error, zlib.error,
               Image.DecompressionBombError)
_CHUNK = 256  # images a task: handing over each image by itself costs as much as decoding it


class LabelledFiles(NamedTuple):
    """The image files below some class folders."""

    files: list[Path]
    labels: np.ndarray
    """(N,) int64."""
    class_names: tuple[str, ...]


def split_folders(root: Path) -> tuple[Path, Path | None]:
    """Folder of the training classes and that of the test classes, or None without a test part."""
    if not root.is_dir():
        raise DataError(f"There is no folder {root}; expected one with train/<class>/<images>.")
    train, test = root / "train", root / "test"
    return train if train.is_dir() else root, test if _class_folders(test) else None


def labelled_files(folder: Path, class_names: tuple[str, ...] | None = None) -> LabelledFiles:
    """All image files below the class folders of `folder`, classes and files in alphabetical order.

    Parameters
    ----------
    folder : Path
    class_names : tuple of str, optional
        The classes there may be; by default every folder is one, but for `test` where it has class folders itself.

    Raises
    ------
    DataError
        If there is no class folder, or one that is not in `class_names`.
    """
    found = [p for p in _class_folders(folder) if class_names or not (p.name == "test" and _class_folders(p))]
    names = class_names or tuple(p.name for p in found)
    unknown = [p.name for p in found if p.name not in names]
    if not found:
        raise DataError(f"{folder} has no class folders; expected {folder}/<class>/<images>.")
    if unknown:
        raise DataError(f"{folder} has the class {unknown[0]!r}, which the training part lacks; remove or rename that folder.")
    pairs = [(file, names.index(p.name)) for p in found for file in _image_files(p)]
    return LabelledFiles([f for f, _ in pairs], np.array([y for _, y in pairs], np.int64), names)


def _class_folders(folder: Path) -> list[Path]:
    try:
        return sorted((p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")), key=lambda p: p.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}); give yourself permission to read it.") from None


def _image_files(folder: Path) -> list[Path]:
    """Image files at any depth, as torchvision's ImageFolder finds them; hidden files (of macOS, say) are none."""
    names = (Path(top, name) for top, _, files in os.walk(folder, followlinks=True) for name in files)
    return sorted(p for p in names if p.suffix.lower() in _SUFFIXES and not p.name.startswith("."))


def decode(files: Sequence[Path], image_size: int | None = None) -> np.ndarray:
    """(N, C, H, W) uint8: the images, grey if all of them are, else RGB.

    Parameters
    ----------
    files : sequence of Path
    image_size : int, optional
        Height and width to resize to. By default images that are all of one size, 64 at most, keep it, and any others
        become 32x32.

    Raises
    ------
    DataError
        If files cannot be read; names the first few.
    """
    chunks = [files[i : i + _CHUNK] for i in range(0, len(files), _CHUNK)]
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        results = pool.map(lambda chunk: [_pixels_or_error(file, image_size) for file in chunk], chunks)
        pixels = [result for chunk in results for result in chunk]
    _check_readable(files, pixels)
    return _stacked(pixels)


def _pixels_or_error(file: Path, image_size: int | None) -> np.ndarray | Exception:
    try:
        return _pixels(file, image_size)
    except _UNREADABLE as error:
        return error


def _pixels(file: Path, image_size: int | None) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8. A large image is resized at once, lest a folder of photographs fill the memory."""
    with Image.open(file) as image:
        size = image_size or (DEFAULT_SIZE if max(image.size) > LARGEST_KEPT_SIZE else None)
        if size:
            image.draft(None, (2 * size, 2 * size))  # lets a JPEG be decoded at a fraction of its size
        image = _grey_or_rgb(image)
        return np.asarray(image if size is None else _resized(image, size))


def _grey_or_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("L", "RGB"):
        return image
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits: Pillow would clip at 255 instead of scaling
        values = np.asarray(image, np.float64)
        return Image.fromarray((values / (256 if values.max() > 255 else 1)).clip(0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGBA" if image.mode == "P" else image.mode).convert("RGB")


def _resized(image: Image.Image, size: int) -> Image.Image:
    return image if image.size == (size, size) else image.resize((size, size), Image.Resampling.BILINEAR)


def _check_readable(files: Sequence[Path], pixels: Sequence[np.ndarray | Exception]) -> None:
    broken = [(file, p) for file, p in zip(files, pixels, strict=True) if isinstance(p, Exception)]
    if broken:
        names = ", ".join(f"{file.parent.name}/{file.name}" for file, _ in broken[:3]) + (", ..." if len(broken) > 3 else "")
        raise DataError(f"{len(broken)} of {len(files)} images cannot be read ({names}; {broken[0][1]}); remove or replace them.")


def _stacked(pixels: list[np.ndarray]) -> np.ndarray:
    """(N, C, H, W) of images that may differ in size and in being grey."""
    if len({p.shape[:2] for p in pixels}) > 1:
        pixels = [np.asarray(_resized(Image.fromarray(p), DEFAULT_SIZE)) for p in pixels]
    if all(p.ndim == 2 for p in pixels):
        return np.stack(pixels)[:, None]
    return np.stack(list(_as_rgb(pixels))).transpose(0, 3, 1, 2)


def _as_rgb(pixels: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    return (p if p.ndim == 3 else np.repeat(p[:, :, None], 3, axis=2) for p in pixels)
