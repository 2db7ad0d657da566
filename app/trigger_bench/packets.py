"""The packets of the page Trigger bench: the image without and with the trigger, and what all networks say; no streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.components import packet
from app.server import run_cache
from app.style import words
from app.style.theme import DARK, LIGHT, STAGE_NAMES
from app.trigger_bench.state import BenchState, Limits
from bsd_engine.attacks.patterns.placing import Change, drawn, placed
from bsd_engine.errors import BSDError
from bsd_engine.files.bounded import Stamp, stamp_of
from bsd_engine.runs import trigger_bench
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import stored_epochs, undefended_command
from bsd_engine.runs.trigger_bench import Answers, BenchImages

MOST_ROWS = 10
"""Classes with a bar, those that any model finds likeliest; all of them where there are at most a dozen."""
MOST_EPOCHS = 12
NAMES = {"picture": "A picture of your own", "drawn": "Draw one yourself"}


@dataclass(frozen=True, kw_only=True)
class Uploads:
    """What this session has brought along."""

    image: Path | None = None
    """File of a test image of one's own."""
    picture: Path | None = None
    """File of a picture for a trigger; a drawn star without one."""
    drawing: np.ndarray | None = None
    """(H, W, 4) uint8."""
    refusal: str = ""
    """Why the last file was not taken."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A run with what can be chosen on it."""

    run: RunReader
    images: BenchImages
    limits: Limits

    @classmethod
    def of(cls, path: Path) -> Bench | None:
        """The bench of a run folder; None where it has no checkpoint."""
        run = run_cache.reader(path)
        epochs = stored_epochs(path)
        if not epochs:
            return None
        images = trigger_bench.bench_images(run)
        own = ("own",) if run.config.attack.attack != "none" else ()
        limits = Limits(
            epochs=epochs,
            images=len(images.labels),
            triggers=(*own, *trigger_bench.trigger_names(), "picture", "drawn"),
            height=run.images.shape[2],
            width=run.images.shape[3],
        )
        return cls(run=run, images=images, limits=limits)


@dataclass(frozen=True, kw_only=True)
class BenchRequest:
    """One look at a bench, on the way to the browser."""

    bench: Bench
    state: BenchState
    uploads: Uploads
    seq: int
    """Of the message that is answered."""
    settled: bool
    """Whether the hand rests: then the answers of all checkpoints are worth their time."""
    static: bool
    """Whether the browser has nothing yet."""


def build(look: BenchRequest) -> bytes:
    """The packet that answers a message of the browser."""
    header: dict[str, Any] = {"seq": look.seq, "state": _plain(look.state), "problem": look.uploads.refusal, "note": ""}
    clean, number, label = _image(look)
    try:
        triggered = _triggered(look, clean, number)
    except BSDError as error:
        triggered, header["problem"] = clean, _without_folders(look, str(error))
    if look.state.trigger == "drawn" and not _has_drawing(look):
        header["note"] = (
            "Nothing is drawn yet: paint on this image with the mouse, or move the frame with the arrow keys and press the space bar."
        )
    elif look.state.opacity == 0:
        header["note"] = "The trigger is faded out: opacity is 0 %."
    pair = torch.cat([clean, triggered])
    found, refusal = _answers(look, pair)
    header |= _said(look, label) | {"refusal": refusal}
    arrays = {"pixels": pair.permute(0, 2, 3, 1).numpy()}
    if found is not None:
        header |= _rows(look, found, label)
        arrays |= {name: a.astype(np.float32) for name, a in _probabilities(found).items()}
        if found.undefended is None:
            header["missing"] = (
                found.problem or "Not stored for this run. To have it answer, train it once without a defence:"
            )
            header["command"] = "" if found.problem else undefended_command(look.bench.run.path)
    header["epochs"] = list(look.bench.limits.epochs)
    if look.settled:
        header["history"] = _history(look, pair)
    if look.static:
        header["static"] = _static(look)
    if look.state.trigger == "drawn" and look.uploads.drawing is not None and look.static:
        arrays["drawing"] = look.uploads.drawing
    return packet.pack(header, arrays)


def _plain(state: BenchState) -> dict[str, Any]:
    return {
        "epoch": state.epoch,
        "image": state.image,
        "trigger": state.trigger,
        "down": state.down,
        "across": state.across,
        "opacity": state.opacity,
        "size": state.size,
    }


def _answers(look: BenchRequest, pair: Tensor) -> tuple[Answers | None, str]:
    try:
        return trigger_bench.answers(look.bench.run.path, look.state.epoch, pair), ""
    except BSDError as error:
        return None, str(error)


def _probabilities(found: Answers) -> dict[str, np.ndarray]:
    models = {"undefended": found.undefended, "altruistic": found.altruistic, "main": found.main}
    return {name: values for name, values in models.items() if values is not None}


def _rows(look: BenchRequest, found: Answers, label: int | None) -> dict[str, Any]:
    """Which classes have a bar, in their own order."""
    classes = len(look.bench.run.class_names)
    if classes <= MOST_ROWS + 2:
        return {"rows": list(range(classes))}
    likely = np.concatenate(list(_probabilities(found).values())).max(0)
    for always in (label, trigger_bench.wanted_label(look.bench.run, label)):
        if always is not None:
            likely[always] = 2
    return {"rows": sorted(np.argsort(-likely, kind="stable")[:MOST_ROWS].tolist())}


def _said(look: BenchRequest, label: int | None) -> dict[str, Any]:
    return {"label": label, "wanted": trigger_bench.wanted_label(look.bench.run, label)}


def _history(look: BenchRequest, pair: Tensor) -> dict[str, Any]:
    """Top answers with their probabilities at each stored epoch: [epoch][altruistic, main][clean, triggered]."""
    epochs = shown_epochs(look.bench.limits.epochs, look.state.epoch)
    values = trigger_bench.over_epochs(look.bench.run.path, epochs, pair)
    top = np.where(np.isfinite(values).all(-1), values.argmax(-1), -1)
    return {"epochs": list(epochs), "top": top.tolist(), "share": np.nan_to_num(values.max(-1)).round(3).tolist()}


def shown_epochs(epochs: tuple[int, ...], shown: int) -> tuple[int, ...]:
    """At most a dozen of the stored epochs, at equal steps, the first, the last and the shown one among them."""
    if len(epochs) <= MOST_EPOCHS:
        return epochs
    places = np.linspace(0, len(epochs) - 1, MOST_EPOCHS - 1).round().astype(int)
    return tuple(sorted({*(epochs[i] for i in places), shown}))


# -- pixels ----------------------------------------------------------------------------------------


def _image(look: BenchRequest) -> tuple[Tensor, int, int | None]:
    """(1, C, H, W) uint8, its number, and its true label where there is one."""
    bench, number = look.bench, look.state.image
    if number is None and look.uploads.image is not None:
        return _uploaded(str(look.uploads.image), tuple(bench.run.images.shape[1:]))[None], 0, None
    number = number or 0
    return bench.images.images[number : number + 1].contiguous(), number, int(bench.images.labels[number])


@lru_cache(maxsize=4)
def _uploaded(path: str, shape: tuple[int, int, int]) -> Tensor:
    return trigger_bench.fitted_picture(Path(path), shape)


def _triggered(look: BenchRequest, clean: Tensor, number: int) -> Tensor:
    state = look.state
    if (change := _change(look, number)) is None:
        return clean
    return placed(clean, change, down=state.down, across=state.across, opacity=state.opacity / 100)


def _change(look: BenchRequest, number: int) -> Change | None:
    """What the chosen trigger does; None for a drawing that is not there yet."""
    state, run = look.state, look.bench.run
    if state.trigger == "drawn":
        return drawn(look.uploads.drawing, run.images.shape[1]) if _has_drawing(look) else None
    picture = str(look.uploads.picture or "") if state.trigger == "picture" else None
    attack = _attack(str(run.path), stamp_of(run.path / "config.json"), state.trigger, picture, state.size)
    return trigger_bench.change_of(attack, number)


def _has_drawing(look: BenchRequest) -> bool:
    drawing = look.uploads.drawing
    return drawing is not None and bool(drawing[..., 3].any())


@lru_cache(maxsize=32)
def _attack(path: str, stamp: Stamp, trigger: str, picture: str | None, size: int) -> Any:
    run = run_cache.reader(Path(path))
    if trigger == "own":
        return trigger_bench.own_attack(run)
    if trigger == "picture":
        return trigger_bench.picture_attack(run, picture or "", size)
    return trigger_bench.attack_named(run, trigger)


def _without_folders(look: BenchRequest, sentence: str) -> str:
    """An uploaded picture has a name of ours, which says nothing to anyone."""
    for path in (look.uploads.picture, look.uploads.image):
        sentence = sentence.replace(str(path), "The picture") if path is not None else sentence
    return sentence


# -- what stays the same ---------------------------------------------------------------------------


def _static(look: BenchRequest) -> dict[str, Any]:
    bench, run = look.bench, look.bench.run
    shape, config = run.images.shape, run.config
    return {
        "names": list(run.class_names),
        "shape": [shape[2], shape[3], shape[1]],
        "images": bench.limits.images,
        "labels": bench.images.labels.tolist(),
        "areTest": bench.images.are_test,
        "stages": [STAGE_NAMES.get(row.stage, "") for row in run_cache.rows(run.path)],
        "total": config.schedule.total_epochs,
        "triggers": [[name, _trigger_name(run, name)] for name in bench.limits.triggers],
        "attack": words.attack(config.attack.attack),
        "palettes": {p.name: _colours(p) for p in (LIGHT, DARK)},
    }


def _trigger_name(run: RunReader, name: str) -> str:
    return (
        f"The run's own: {words.attack(run.config.attack.attack)}"
        if name == "own"
        else NAMES.get(name) or words.attack(name)
    )


def _colours(palette: Any) -> dict[str, str]:
    return {
        name: getattr(palette, name)
        for name in ("name", "clean", "poison", "unknown", "muted", "grid", "surface", "ring")
    }
