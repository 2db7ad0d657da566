"""Targets of fuzzing: each sets itself up in a folder and returns a function that makes an input and reads it."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from bsd_engine import splits
from bsd_engine.attacks import custom
from bsd_engine.config.presets import smoke
from bsd_engine.config.settings import BSDConfig
from bsd_engine.data import sources
from bsd_engine.data.decoding import decode
from bsd_engine.errors import BSDError
from bsd_engine.files.bounded import parse_object
from bsd_engine.runs import checkpoints
from bsd_engine.runs.commands import read_commands
from bsd_engine.runs.origin import digests
from bsd_engine.runs.reader import RunReader
from tests.nightly import foreign_runs
from tests.nightly.attempts import try_all
from tests.nightly.malformed import damaged, forged_header, odd_json, odd_npz
from tests.nightly.odd_epochs import audit_target
from tests.support.run_edits import record

Attempt = Callable[[random.Random], None]
"""A function that makes an input and reads it."""


def settings_target(folder: Path) -> Attempt:
    """Stored settings."""
    whole = smoke().to_dict()

    def attempt(draw: random.Random) -> None:
        try:
            values = parse_object(odd_json(whole, draw))
        except ValueError as error:  # a reader of config.json treats it as a broken folder
            raise BSDError(str(error)) from None
        BSDConfig.from_dict(values)

    return attempt


def read_all(path: Path) -> None:
    """Read everything that a viewer reads from a run folder; an unreadable part must not prevent reading the rest."""
    run = RunReader(path)
    wanted: list[Callable[[], Any]] = [
        lambda: run.labels,
        lambda: run.landmark_idx,
        lambda: run.truth,
        lambda: run.images.sum(),
        lambda: run.summary,
        lambda: run.progress,
        lambda: run.status,
        lambda: run.can_resume,
        lambda: run.version,
        lambda: [run.map(e) for e in run.map_epochs],
        *(lambda e=e: run.epoch(e) for e in run.epochs),
    ]
    try_all(wanted)


def make_run(folder: Path) -> Path:
    """Return a small run folder with every kind of file in it."""
    from tests.support.fake_run import fake_run

    path = fake_run(folder, epochs=10, samples=60, maps=True, run_id="run")
    (path / "progress.json").write_text(
        json.dumps({"state": "running", "epoch": 3, "iteration": 2, "iterations": 9, "time": 1.0, "commands_obeyed": 1})
    )
    (path / "commands.jsonl").write_text('\n{"command": "pause", "time": 1.0}\n')
    return path


def _spoil(path: Path, whole: dict[str, bytes], draw: random.Random) -> Path:
    """Damage one file of a run folder; returns it, to be restored afterwards."""
    name = draw.choice([n for n in sorted(whole) if not n.startswith("checkpoints")])
    file, content = path / name, whole[name]
    kind = draw.randrange(8)
    if kind == 0:
        file.unlink()
    elif kind == 1:
        file.write_bytes(whole[draw.choice(sorted(whole))])
    elif kind < 5 and name.endswith(".npz"):
        file.write_bytes(odd_npz(content, draw))
    elif kind < 5 and name.endswith(".json"):
        file.write_bytes(odd_json(json.loads(content), draw))
    elif kind < 5 and name.endswith(".npy"):
        file.write_bytes(forged_header(content, draw))
    else:
        file.write_bytes(damaged(content, draw))
    if draw.random() < 0.9 and file.exists() and name != digests.FILE:  # a forger adds the digest
        record(path, name)
    return file


def _run_folder(folder: Path, read: Callable[[Path, random.Random], Any]) -> Attempt:
    path = make_run(folder)
    whole = {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}

    def attempt(draw: random.Random) -> None:
        file = _spoil(path, whole, draw)
        try:
            read(path, draw)
        finally:
            for changed in (file, path / digests.FILE):
                changed.write_bytes(whole[str(changed.relative_to(path))])

    return attempt


def run_folder_target(folder: Path) -> Attempt:
    """A run folder with one file damaged or forged, read as viewers read it."""
    return _run_folder(folder, lambda path, _: read_all(path))


def page_target(folder: Path) -> Attempt:
    """The same folder, as the page draws it: the state in words and every figure."""
    from app.run.panels import PANELS, View
    from app.run.status import look, sentence
    from app.server.registry import RunRegistry
    from app.style.theme import LIGHT

    registry = RunRegistry(folder)

    def read(path: Path, draw: random.Random) -> None:
        now = look(registry, path.name)
        sentence(now, registry, truth_shown=True)
        assert now.epoch_in_progress and now.run is not None
        if now.rows:
            PANELS[draw.choice(sorted(PANELS))](
                View(path=path, version=now.run.version, epoch=len(now.rows) - 1, palette=LIGHT, truth_shown=True)
            )

    return _run_folder(folder, read)


def npz_target(folder: Path) -> Attempt:
    """An .npz file of images."""
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    np.savez(
        stream,
        train_images=rng.integers(0, 256, (12, 8, 8, 3), np.uint8),
        train_labels=np.arange(12) % 3,
        test_images=rng.integers(0, 256, (6, 8, 8, 3), np.uint8),
        test_labels=np.arange(6) % 3,
        class_names=np.array(["a", "b", "c"]),
    )
    file = folder / "set.npz"

    def attempt(draw: random.Random) -> None:
        change = draw.choice((damaged, odd_npz))
        file.write_bytes(change(stream.getvalue(), draw))
        source = sources.npz(file)
        source.read(np.arange(min(3, len(source.train_labels))))

    return attempt


def image_target(folder: Path) -> Attempt:
    """An image file in a data set, or as a trigger."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    whole = []
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, kind)
        whole.append((f"x.{kind.lower()}", stream.getvalue()))

    def attempt(draw: random.Random) -> None:
        name, content = draw.choice(whole)
        file = folder / name
        file.write_bytes(damaged(content, draw))
        if draw.random() < 0.5:
            decode([file])
        else:
            custom.read_picture(file)

    return attempt


def checkpoint_target(folder: Path) -> Attempt:
    """A checkpoint."""
    stream, file = io.BytesIO(), folder / "00001.pt"
    torch.save(
        {
            "version": 2,
            "epoch": 1,
            "models": {"main": {"w": torch.arange(6.0)}},
            "clean_mask": torch.ones(4, dtype=torch.bool),
        },
        stream,
    )

    def attempt(draw: random.Random) -> None:
        file.write_bytes(damaged(stream.getvalue(), draw))
        try:
            checkpoints.read(file)
        except (OSError, ValueError) as error:  # `load_checkpoint` treats it as a damaged file
            raise BSDError(str(error)) from None

    return attempt


def commands_target(folder: Path) -> Attempt:
    """The lines that viewers have written into commands.jsonl."""
    line = b'\n{"command": "pause", "time": 1.0}\n'

    def attempt(draw: random.Random) -> None:
        (folder / "commands.jsonl").write_bytes(damaged(line * 3, draw) + odd_json({"command": "stop"}, draw))
        assert set(read_commands(folder)) <= {"pause", "resume", "stop"}

    return attempt


def address_target(folder: Path) -> Attempt:
    """The name of a run in the page's address: nothing but a folder directly below the root is found."""
    from app.server.registry import RunRegistry
    from tests.support.fake_run import fake_run

    root, outside = folder / "runs", folder / "elsewhere"
    fake_run(outside, epochs=1, samples=60, run_id="secret")
    fake_run(root, epochs=1, samples=60, run_id="run")
    (root / "link").symlink_to(outside / "secret")
    registry = RunRegistry(root)
    pieces = (
        "run",
        "link",
        "secret",
        "elsewhere",
        "..",
        ".",
        "/",
        "\\",
        "\0",
        "%2e%2e",
        "~",
        "",
        " ",
        "\n",
        "\ud800",
        "a" * 300,
        str(outside),
    )

    def attempt(draw: random.Random) -> None:
        name = "".join(draw.choice(pieces) for _ in range(draw.randrange(1, 6)))
        assert registry.path(name) == root / "run"

    return attempt


def splits_target(folder: Path) -> Attempt:
    """Scores of any value, including NaN: the counts of the equations hold."""

    def attempt(draw: random.Random) -> None:
        n, share = draw.randrange(1, 40), draw.choice((0.01, 0.2, 0.5, 0.99, 1.0, draw.random() or 0.5))
        values = (0.0, 1.0, -1.0, float("nan"), float("inf"), -float("inf"), 1e-45, 3e38)
        scores = np.array([draw.choice(values) for _ in range(n)], np.float32)
        labels = np.array([draw.randrange(4) for _ in range(n)])
        masks = [splits.als_clean_mask(scores, share), splits.oss_clean_mask(scores, labels, 1, share)]
        with np.errstate(invalid="ignore"):
            masks += [
                splits.discrepancy_clean_mask(scores, labels, share, how) for how in ("fewest", "balanced", "off")
            ]
        assert all(mask.shape == (n,) and mask.dtype == bool for mask in masks) and masks[0].sum() <= n * share + 1e-6

    return attempt


TARGETS: dict[str, Callable[[Path], Attempt]] = {
    "settings": settings_target,
    "run folder": run_folder_target,
    "page": page_target,
    "npz": npz_target,
    "image": image_target,
    "checkpoint": checkpoint_target,
    "commands": commands_target,
    "address": address_target,
    "splits": splits_target,
    "audit": audit_target,
    **foreign_runs.TARGETS,
}
SHARES = {"page": 0.2, "foreign run": 0.1, "foreign page": 0.1}
"""Share of the inputs of some targets: pages take a hundred times as long as the others, so fewer are drawn."""
