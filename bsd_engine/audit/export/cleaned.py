"""The set without the removed samples as a folder of images."""

from __future__ import annotations

import re
import shutil
import unicodedata
from pathlib import Path

import numpy as np

from bsd_engine.data.folder import inside, labelled_files, split_folders
from bsd_engine.errors import ConfigError, StorageError
from bsd_engine.prepare.export import Progress, folder_names, new_folder, write_png
from bsd_engine.runs.reader import RunReader


def index_text(keep: np.ndarray) -> str:
    """The numbers of the samples to keep, one a line, counted from 0 in the order of the run's samples."""
    return "".join(f"{i}\n" for i in np.flatnonzero(keep).tolist())


def originals_left_out(run: RunReader) -> str:
    """One sentence if the images came from a folder whose files are not copied because the run is another's; else
    ""."""
    if run.trusts_paths or not _is_plain_folder(run):
        return ""
    return (
        "The settings of this run come from elsewhere, so its folder of images is not looked for on this machine: the "
        "images are saved as the run was trained on them, without a test part."
    )


def save_cleaned(
    run: RunReader, keep: np.ndarray, out: Path, progress: Progress = iter, *, originals: bool = True
) -> Path:
    """Write the samples to keep as OUT/train/CLASS/NAME, whole or not at all, and clean_index.txt beside it.

    Where the images of a run of one's own came from a folder that is still there, its files are copied as they are,
    with its test part; otherwise the training images are written as PNG files. Names of classes and files are made safe
    for any file system, and each file name begins with a number, that of its sample in the training part. Files that
    lead out of that folder are not read: PNG files take their place, as for all samples if `originals` is false or
    `originals_left_out` says so.

    Raises
    ------
    ConfigError
        If nothing is kept, or OUT holds something already.
    RunFolderError
        If the run's images are damaged.
    StorageError
        If it cannot be written.
    """
    if not keep.any():
        raise ConfigError("No sample is kept, so there is nothing to save; withdraw judgements or take another rule.")
    run.check_images()
    with new_folder(out) as folder:
        _write(run, keep, folder, progress, _source(run) if originals else None)
    return out


def _write(run: RunReader, keep: np.ndarray, root: Path, progress: Progress, source: Path | None) -> None:
    names, images, labels = folder_names(run.class_names), run.images, run.labels
    files = run.files
    for name in names:
        (root / "train" / name).mkdir(parents=True)
    width = len(str(len(labels) - 1))
    for i in progress(np.flatnonzero(keep).tolist()):
        original = _original(source, files[i]) if source is not None and files is not None else None
        place = root / "train" / names[labels[i]] / f"{i:0{width}d}"
        if original is None:
            write_png(np.ascontiguousarray(images[i].transpose(1, 2, 0)), place.with_suffix(".png"))
        else:
            shutil.copyfile(original, place.with_name(f"{place.name}-{safe_name(original.name)}"))
    _check_count(root / "train", int(keep.sum()))
    if source is not None:
        _copy_test(source, root / "test", run.class_names, names)
    (root / "clean_index.txt").write_text(index_text(keep))


def _is_plain_folder(run: RunReader) -> bool:
    """Whether the images came from a folder as they are; an attack would have been added to them."""
    return run.config.data.data.startswith("folder:") and run.config.attack.attack == "none"


def _source(run: RunReader) -> Path | None:
    """The folder that the images came from, if it is still there and may be read."""
    if not run.trusts_paths or not _is_plain_folder(run):
        return None
    root = Path(run.config.data.data.removeprefix("folder:")).expanduser()
    return root if root.is_dir() else None


def _original(root: Path, name: str) -> Path | None:
    """A file in the folder; None where it is gone or leads out of the folder."""
    path = root / name
    return path if path.is_file() and inside(root, path) else None


def _copy_test(source: Path, out: Path, class_names: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Copy the test images as a run reads them, numbered in the order of their files."""
    test = split_folders(source)[1]
    if test is None:
        return
    found = labelled_files(test, class_names)
    width = len(str(len(found.files)))
    for i, (path, label) in enumerate(zip(found.files, found.labels.tolist(), strict=True)):
        folder = out / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / f"{i:0{width}d}-{safe_name(path.name)}")
    _check_count(out, len(found.files))


def _check_count(folder: Path, expected: int) -> None:
    """Raise `StorageError` if a file took the place of another, as on a file system with names of its own."""
    written = sum(path.is_file() for path in folder.rglob("*"))
    if written != expected:
        raise StorageError(
            f"{folder.name} has {written:,} files after {expected:,} were written: names collide on this file system. "
            "Nothing was saved; choose a folder on another one."
        )


def safe_name(name: str) -> str:
    """A file name of letters of any script, digits, space and . + - _ only, at most 150 bytes, with its ending."""
    plain = unicodedata.normalize("NFC", re.sub(r"[^\w .+-]", "_", name)).strip(" ")
    stem, dot, ending = plain.rpartition(".")
    return f"{_cut(stem, 140)}{dot}{_cut(ending, 9)}" if dot else _cut(plain, 150)


def _cut(text: str, most: int) -> str:
    """The beginning of a text, of at most that many bytes; file systems allow 255 for a name."""
    return text.encode()[:most].decode(errors="ignore")
