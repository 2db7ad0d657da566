"""The samples to keep, and the set without the others as a folder of images."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from bsd_engine.audit.judgements import Judgement
from bsd_engine.audit.suspects import Suspects
from bsd_engine.data.folder import inside, split_folders
from bsd_engine.errors import ConfigError
from bsd_engine.prepare.export import Progress, folder_names, new_folder, write_png
from bsd_engine.runs.reader import RunReader

Rule = Literal["pool", "steady"]


def kept(ranking: Suspects, verdicts: Mapping[int, Judgement], rule: Rule = "pool") -> np.ndarray:
    """(N,) bool: the samples to keep.

    Parameters
    ----------
    verdicts : judgements; keep and remove decide for their samples, unsure leaves it to the rule
    rule : pool: the clean pool of the newest epoch. steady: those of its samples that were in the pool in more than
        half of the epochs from T1 on

    Raises
    ------
    ConfigError
        Before the first split, when there is no pool to take.
    """
    if not ranking.epochs_decided:
        raise ConfigError(
            "The run has not split its samples yet, so there is nothing to keep or to remove; wait for the epoch T1."
        )
    keep = ranking.in_pool.copy()
    if rule == "steady":
        keep &= 2 * ranking.epochs_in_pool > ranking.epochs_decided
    for sample, verdict in verdicts.items():
        if verdict.choice != "unsure":
            keep[sample] = verdict.choice == "keep"
    return keep


def index_text(keep: np.ndarray) -> str:
    """The numbers of the samples to keep, one a line, counted from 0 in the order of the run's samples."""
    return "".join(f"{i}\n" for i in np.flatnonzero(keep).tolist())


def save_cleaned(
    run: RunReader, keep: np.ndarray, out: Path, progress: Progress = iter, *, originals: bool = True
) -> Path:
    """Write the samples to keep as OUT/train/CLASS/NAME, whole or not at all, and clean_index.txt beside it.

    Where the images came from a folder that is still there, its files are copied as they are, with its test part;
    otherwise the training images are written as PNG files. Names of classes and files are made safe for any file
    system, and each file name begins with the number of its sample. Files that lead out of that folder are not read:
    PNG files take their place, as for all samples if `originals` is false.

    Raises
    ------
    ConfigError
        If nothing is kept, or OUT holds something already.
    StorageError
        If it cannot be written.
    """
    if not keep.any():
        raise ConfigError("No sample is kept, so there is nothing to save; lower your verdicts or take another rule.")
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
    if source is not None:
        _copy_test(source, root, run.class_names, names)
    (root / "clean_index.txt").write_text(index_text(keep))


def _source(run: RunReader) -> Path | None:
    """The folder that the images came from, if it is still there; None where an attack was added to the data."""
    kind, _, path = run.config.data.data.partition(":")
    if kind != "folder" or run.config.attack.attack != "none":
        return None
    root = Path(path).expanduser()
    return root if root.is_dir() else None


def _original(root: Path, name: str) -> Path | None:
    """A file in the folder; None where it is gone or leads out of the folder."""
    path = root / name
    return path if path.is_file() and inside(root, path) else None


def _copy_test(source: Path, root: Path, class_names: tuple[str, ...], names: tuple[str, ...]) -> None:
    test = split_folders(source)[1]
    for given, safe in zip(class_names, names):
        folder = test / given if test else None
        for path in sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []:
            if path.is_file() and inside(source, path) and not path.name.startswith("."):
                (root / "test" / safe).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, root / "test" / safe / safe_name(path.name))


def safe_name(name: str) -> str:
    """A file name of letters of any script, digits, space and . + - _ only, at most 100 characters, with its ending."""
    plain = unicodedata.normalize("NFC", re.sub(r"[^\w .+-]", "_", name)).strip(" ")
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[:90]}{dot}{ending[:9]}" if dot else plain[:100]
