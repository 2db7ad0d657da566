"""Folders of images: one folder a class, in alphabetical order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bsd_engine.errors import DataError

_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


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
    found = (Path(top, name) for top, _, names in os.walk(folder, followlinks=True) for name in names if _is_image(name))
    return sorted(found, key=lambda path: path.parts)


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in _SUFFIXES and not name.startswith(".")


def name_below(root: Path, file: Path) -> str:
    """The file's path below `root`; a fifth of the time of `Path.relative_to`, which counts with 50,000 files."""
    return str(file).removeprefix(f"{root}{os.sep}")
