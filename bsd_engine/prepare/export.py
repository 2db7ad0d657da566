"""A poisoned set as files that this and other programs can train on."""

from __future__ import annotations

import csv
import io
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from torch import Tensor

from bsd_engine.config.settings import BSDConfig
from bsd_engine.data.decoding import LARGEST_KEPT_SIZE
from bsd_engine.errors import ConfigError, StorageError
from bsd_engine.files.arrays import pack_arrays, write_npz
from bsd_engine.files.atomic import storage_errors, temporary_beside
from bsd_engine.files.cells import no_formula, valid_text
from bsd_engine.files.outputs import NEVER_REPLACED, NOTHING_SAVED, check_folder, check_output
from bsd_engine.prepare.prepare import PreparedData

Format = Literal["folder", "npz"]
COLUMNS = ("file", "index", "given_label", "original_label", "poisoned", "noise")

Progress = Callable[[Iterable[int]], Iterable[int]]


def save(prepared: PreparedData, out: Path, form: Format, progress: Progress = iter) -> list[Path]:
    """Write a poisoned set completely or not at all; returns the paths: the set and, for npz, the list beside it.

    Parameters
    ----------
    prepared : PreparedData
        With known ground truth.
    out : Path
        A new file for npz, a new or empty folder for folder; nothing is overwritten.
    form : Format
        npz: the arrays of `arrays`, and a list in OUT's name with .poison.csv. folder: PNG files in train/<class>/,
        test/<class>/ and triggered/<the class that the attacker wants>/, and poison.csv.
    progress : function, optional
        Wraps the numbers of the image files, to show a progress bar.

    Raises
    ------
    ConfigError
        If nothing is poisoned, or `out` exists already.
    StorageError
        If it cannot be written.
    """
    if prepared.is_poison is None:
        raise ConfigError("attack is none, so nothing would be poisoned; choose an attack.")
    return [_folder(prepared, out, progress)] if form == "folder" else _npz(prepared, out)


def format_of(out: Path, wanted: Literal["auto", "folder", "npz"] = "auto") -> Format:
    """The format to save in: `wanted`, or for auto npz if the name ends in .npz, else folder."""
    if wanted != "auto":
        return wanted
    return "npz" if out.suffix.lower() == ".npz" else "folder"


def load_words(prepared: PreparedData, out: Path, form: Format) -> str:
    """The command-line options that train on a saved set as it is."""
    size = max(prepared.images.shape[1:3])
    resized = f" --image-size {size}" if form == "folder" and size > LARGEST_KEPT_SIZE else ""
    return f"--data {shlex.quote(f'{form}:{out}')} --attack none --limit None{resized}"


def command(config: BSDConfig, out: str = "poisoned.npz") -> str:
    """The command that saves the poisoned set of a configuration."""
    attack, source = config.attack, config.data
    # All options are written out, because the preset may have other values.
    words = [
        "--preset",
        config.preset,
        "--data",
        source.data,
        "--limit",
        source.limit,
        "--image-size",
        source.image_size,
        "--seed",
        config.seed,
        "--attack",
        attack.attack,
        "--target",
        attack.target_label,
        "--rate",
        attack.rate,
        "--poison-count-mode",
        attack.poison_count_mode,
        "--attack-parameters",
        *(word for pair in attack.attack_parameters.items() for word in pair),
    ]
    return "python -m bsd_engine poison " + shlex.join(str(word) for word in [*words, "--out", out])


# -- arrays ----------------------------------------------------------------------------------------


def arrays(prepared: PreparedData) -> dict[str, np.ndarray]:
    """The set as arrays that `npz:PATH` can read; images are (N, H, W, C) uint8, labels (N,) int64.

    They are train_images, train_labels (as given), original_labels, is_poison, is_noise and class_names. With a test
    part there are also test_images and test_labels, and triggered_images with triggered_labels, the labels that the
    attacker wants for them.
    """
    tensors: dict[str, Tensor | None] = {
        "train_images": prepared.images,
        "train_labels": prepared.labels,
        "original_labels": prepared.original_labels,
        "is_poison": prepared.is_poison,
        "is_noise": prepared.is_noise,
        "test_images": prepared.test_images,
        "test_labels": prepared.test_labels,
        "triggered_images": prepared.triggered_images,
        "triggered_labels": prepared.triggered_labels,
    }
    return {
        "class_names": np.array([valid_text(name) for name in prepared.class_names]),
        **{name: x.numpy() for name, x in tensors.items() if x is not None},
    }


def npz_bytes(prepared: PreparedData) -> bytes:
    """The content of the .npz file that `save` would write."""
    return pack_arrays(**arrays(prepared))


def _npz(prepared: PreparedData, out: Path) -> list[Path]:
    check_output(out, NEVER_REPLACED)
    listing = out.with_name(f"{out.name.removesuffix('.npz')}.poison.csv")
    check_output(listing, NEVER_REPLACED)
    with storage_errors(out, NOTHING_SAVED):
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = [temporary_beside(path) for path in (out, listing)]
        try:
            with temporary[0].open("xb") as file:
                write_npz(file, arrays(prepared))
            temporary[1].write_text(_listing(prepared, [""] * len(prepared.labels)), "utf-8")
            for part, path in zip(temporary, (out, listing)):
                os.replace(part, path)
        finally:
            for part in temporary:
                part.unlink(missing_ok=True)
    return [out, listing]


# -- folders ---------------------------------------------------------------------------------------


def folder_names(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """A folder name for each class; the names sort in the order of the classes, by which readers number them.

    They are the class names if those are safe as file names and in order already; otherwise the class number is put in
    front.
    """
    safe = [re.sub(r"[^\w .+-]", "_", name).strip(" .")[:100] for name in class_names]
    if safe == list(class_names) == sorted(set(class_names)):
        return class_names
    width = len(str(len(safe) - 1))
    return tuple(f"{i:0{width}d}_{name}" for i, name in enumerate(safe))


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A hidden folder beside `out` to write into: it becomes `out` at the end of the block, or is removed if that
    fails.

    Raises
    ------
    ConfigError
        If `out` exists and is not an empty folder.
    StorageError
        If it cannot be written.
    """
    with storage_errors(out, NOTHING_SAVED):
        check_folder(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(out)
        try:
            temporary.mkdir()
            yield temporary
            os.replace(temporary, out)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _folder(prepared: PreparedData, out: Path, progress: Progress) -> Path:
    with new_folder(out) as folder:
        files = _write_images(prepared, folder, progress)
        (folder / "poison.csv").write_text(_listing(prepared, files), "utf-8")
    return out


def _write_images(prepared: PreparedData, root: Path, progress: Progress) -> list[str]:
    """Write all parts; returns the paths of the training images below the folder."""
    parts = (
        ("train", prepared.images, prepared.labels),
        ("test", prepared.test_images, prepared.test_labels),
        ("triggered", prepared.triggered_images, prepared.triggered_labels),
    )
    names = folder_names(prepared.class_names)
    train_files: list[str] = []
    for part, images, labels in parts:
        if images is None or labels is None:
            continue
        wanted = range(len(names)) if part == "train" else labels.unique().tolist()
        for label in wanted:
            (root / part / names[label]).mkdir(parents=True)
        width = len(str(len(labels) - 1))
        files = [f"{part}/{names[label]}/{i:0{width}d}.png" for i, label in enumerate(labels.tolist())]
        for i in progress(range(len(files))):
            write_png(images[i].numpy(), root / files[i])
        train_files = train_files or files
    return train_files


def write_png(pixels: np.ndarray, path: Path) -> None:
    """Write an (H, W, C) uint8 image."""
    Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(path)


# -- list of poisoned images -----------------------------------------------------------------------


def _listing(prepared: PreparedData, files: list[str]) -> str:
    """CSV with a line for each training image: labels as names, numbers from 0."""
    if prepared.is_poison is None or prepared.original_labels is None:
        raise StorageError("The ground truth of this set is unknown, so its poison cannot be listed; poison it anew.")
    names, text = [no_formula(name) for name in prepared.class_names], io.StringIO()
    noise = [False] * len(files) if prepared.is_noise is None else prepared.is_noise.tolist()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    truth = zip(
        files,
        prepared.labels.tolist(),
        prepared.original_labels.tolist(),
        prepared.is_poison.tolist(),
        noise,
        strict=True,
    )
    lines.writerows(
        [file, i, names[given], names[original], int(poisoned), int(noisy)]
        for i, (file, given, original, poisoned, noisy) in enumerate(truth)
    )
    return text.getvalue()
