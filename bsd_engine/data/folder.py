"""Folders of images: one folder per class, in alphabetical order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bsd_engine.errors import DataError

_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


TEST_PARTS = ("test", "val", "valid", "validation")
"""Folders beside the training classes that are the test part; the first of them that is there is taken."""
_NOT_READ = {".arrow", ".csv", ".json", ".jsonl", ".parquet", ".tar", ".tfrecord", ".tgz", ".tsv", ".zip"}


class LabelledFiles(NamedTuple):
    """The image files below the class folders of one part."""

    files: list[Path]
    labels: np.ndarray
    """(N,) int64."""
    class_names: tuple[str, ...]


def split_folders(root: Path) -> tuple[Path, Path | None]:
    """The folder of the training classes and that of the test classes, which is None without a test part."""
    if root.is_file():
        raise DataError(
            f"{root} is a file, expected a folder with train/<class>/<images>; unpack an archive first, and give an "
            ".npz file as npz:PATH."
        )
    if not root.is_dir():
        raise DataError(f"There is no folder {root}; expected one with train/<class>/<images>.")
    if os.path.realpath(root) == os.sep:
        raise DataError(f"{root} is the whole file system; give the folder of the images.")
    train = root / "train"
    if not train.is_dir():
        _check_nesting(root)
        return root, _test_folder(root)
    if train.is_symlink() and not inside(root, train):
        raise DataError(
            f"{train} is a symbolic link that leads out of {root}; nothing outside is read. Give the folder that it "
            "leads to, or copy the images."
        )
    return train, _test_folder(root)


def _test_folder(root: Path) -> Path | None:
    """The first folder of `TEST_PARTS` that holds classes and does not lead out of the set."""
    return next((root / name for name in TEST_PARTS if _class_folders(root / name) and inside(root, root / name)), None)


def _check_nesting(root: Path) -> None:
    """Raise `DataError` for a set that was unpacked one folder deeper, which would look like a single class."""
    folders = _class_folders(root)
    if len(folders) == 1 and _class_folders(folders[0]):
        raise DataError(
            f"{root} holds nothing but the folder {folders[0].name!r}, which has folders itself; the data seem to lie "
            f"one level deeper. Give {folders[0]} instead."
        )


def labelled_files(folder: Path, class_names: tuple[str, ...] | None = None) -> LabelledFiles:
    """All image files below the class folders of `folder`, classes and files in alphabetical order.

    Parameters
    ----------
    folder : Path
    class_names : tuple of str, optional
        The allowed classes; by default every folder is one, except those of `TEST_PARTS` that have class folders
        themselves.

    Raises
    ------
    DataError
        If there is no class folder, or one that is not in `class_names`.
    """
    folders = [p for p in _class_folders(folder) if class_names or not (p.name in TEST_PARTS and _class_folders(p))]
    names = class_names or tuple(p.name for p in folders)
    unknown = [p.name for p in folders if p.name not in names]
    if not folders:
        raise DataError(f"{folder} has no class folders; expected {folder}/<class>/<images>.{_instead(folder)}")
    if unknown:
        raise DataError(
            f"{folder} has the class {unknown[0]!r}, which the training part lacks; remove or rename that folder."
        )
    leaving: list[Path] = []
    pairs = [(file, names.index(p.name)) for p in folders for file in _image_files(p, folder, leaving)]
    if leaving:
        first = ", ".join(name_below(folder, link) for link in leaving[:3]) + (", ..." if len(leaving) > 3 else "")
        raise DataError(
            f"{folder} has {len(leaving):,} symbolic {'link' if len(leaving) == 1 else 'links'} that lead out of it "
            f"({first}); nothing outside is read. Copy into the folder what you want to train on, or remove the links."
        )
    return LabelledFiles([f for f, _ in pairs], np.array([y for _, y in pairs], np.int64), names)


def _instead(folder: Path) -> str:
    """What a folder without class folders holds, and what to do with it, as a sentence; "" for anything else."""
    names = sorted(entry.name for entry in _entries(str(folder)) if entry.is_file())
    images = sum(_is_image(name) for name in names)
    other = next((name for name in names if Path(name).suffix.lower() in _NOT_READ), None)
    if images:
        return f" It holds {images:,} images without classes; move them into one folder per class" + (
            f" ({other} is not read)." if other else "."
        )
    if other:
        return f" It holds {other}, which is not read; save its images into one folder per class, or as an .npz file."
    return ""


def _class_folders(folder: Path) -> list[Path]:
    try:
        return sorted((p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")), key=lambda p: p.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}); give yourself permission to read it.") from None


def _image_files(folder: Path, top: Path, leaving: list[Path]) -> list[Path]:
    """Image files at any depth, as torchvision's ImageFolder finds them, without hidden files (such as those of macOS).

    Links within `top` are followed, but each folder is visited once; links out of it are added to `leaving`. Only links
    are resolved, since that takes 20 us each.
    """
    if folder.is_symlink() and not inside(top, folder):
        leaving.append(folder)
        return []
    files: list[Path] = []
    seen, waiting = {os.path.realpath(folder)}, [str(folder)]
    while waiting:
        for entry in _entries(waiting.pop()):
            if entry.is_symlink() and not inside(top, Path(entry.path)):
                if _is_image(entry.name) or entry.is_dir():
                    leaving.append(Path(entry.path))
            elif entry.is_dir():
                real_path = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                if real_path not in seen:  # a link to a folder above would be followed forever
                    seen.add(real_path)
                    waiting.append(entry.path)
            elif _is_image(entry.name):
                files.append(Path(entry.path))
    return sorted(files, key=lambda path: path.parts)


def _entries(folder: str) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}); give yourself permission to read it.") from None


def inside(top: Path, path: Path) -> bool:
    """Whether a path, with all links followed, lies below a folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(top))


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in _SUFFIXES and not name.startswith(".")


def name_below(root: Path, file: Path) -> str:
    """The file's path below `root`, in a fifth of the time of `Path.relative_to`, which matters for 50,000 files."""
    return str(file).removeprefix(f"{root}{os.sep}")
