"""The packets of the page Trigger bench: the image without and with the trigger, and the answers; no streamlit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.components import packet
from app.server import run_cache
from app.style import words
from app.style.theme import DARK, LIGHT, STAGE_NAMES
from app.trigger_bench import texts
from app.trigger_bench.bench import BenchRequest
from app.trigger_bench.drawings import has_ink
from app.trigger_bench.pixels import clean_image, triggered_image
from bsd_engine.errors import BSDError
from bsd_engine.runs import trigger_bench
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import undefended_command
from bsd_engine.runs.trigger_bench import Answers

MOST_ROWS = 10
"""Classes with a bar: those that any model finds likeliest, or all of them if there are at most a dozen."""
MOST_EPOCHS = 12
"""Stored epochs in one answer."""


def build(request: BenchRequest) -> bytes:
    """The packet that answers a message from the browser."""
    header: dict[str, Any] = {
        "seq": request.seq,
        "state": asdict(request.state),
        "problem": request.uploads.refusal,
        "note": _note(request),
    }
    clean, number, label = clean_image(request)
    try:
        triggered = triggered_image(request, clean, number)
    except BSDError as error:
        triggered, header["problem"] = clean, _without_folders(request, str(error))
    pair = torch.cat([clean, triggered])
    answers, refusal = _answers(request, pair)
    header |= _labels(request, label) | {"refusal": refusal}
    arrays = {"pixels": pair.permute(0, 2, 3, 1).numpy()}
    if answers is not None:
        header |= _rows(request, answers, label)
        arrays |= {name: a.astype(np.float32) for name, a in _probabilities(answers).items()}
        if answers.undefended is None:
            header["missing"] = answers.problem or texts.NO_UNDEFENDED_MODEL
            header["command"] = "" if answers.problem else undefended_command(request.bench.run.path)
    header["epochs"] = list(request.bench.limits.epochs)
    if request.settled:
        header["history"] = _history(request, pair)
    if request.static:
        header["static"] = _static(request)
    if request.state.trigger == "drawn" and request.uploads.drawing is not None and request.static:
        arrays["drawing"] = request.uploads.drawing
    return packet.pack(header, arrays)


def _note(request: BenchRequest) -> str:
    """The reason why the image with the trigger looks like the clean one; "" if there is none."""
    if request.state.trigger == "drawn" and not has_ink(request.uploads.drawing):
        return texts.NOTHING_DRAWN
    return texts.FADED_OUT if request.state.opacity == 0 else ""


def _answers(request: BenchRequest, pair: Tensor) -> tuple[Answers | None, str]:
    """The answers of the models; None and a sentence if the checkpoint cannot be read."""
    try:
        return trigger_bench.answers(request.bench.run.path, request.state.epoch, pair), ""
    except BSDError as error:
        return None, str(error)


def _probabilities(answers: Answers) -> dict[str, np.ndarray]:
    models = {"undefended": answers.undefended, "altruistic": answers.altruistic, "main": answers.main}
    return {name: values for name, values in models.items() if values is not None}


def _rows(request: BenchRequest, answers: Answers, label: int | None) -> dict[str, Any]:
    """The classes with a bar, in ascending order."""
    classes = len(request.bench.run.class_names)
    if classes <= MOST_ROWS + 2:
        return {"rows": list(range(classes))}
    likely = np.concatenate(list(_probabilities(answers).values())).max(0)
    for always in (label, trigger_bench.wanted_label(request.bench.run, label)):
        if always is not None:
            likely[always] = 2
    return {"rows": sorted(np.argsort(-likely, kind="stable")[:MOST_ROWS].tolist())}


def _labels(request: BenchRequest, label: int | None) -> dict[str, Any]:
    """The true label, and the label that the run's attacker wants."""
    return {"label": label, "wanted": trigger_bench.wanted_label(request.bench.run, label)}


def _history(request: BenchRequest, pair: Tensor) -> dict[str, Any]:
    """Top answers and their probabilities at the stored epochs: [epoch][altruistic, main][clean, triggered]."""
    epochs = shown_epochs(request.bench.limits.epochs, request.state.epoch)
    values = trigger_bench.over_epochs(request.bench.run.path, epochs, pair)
    top = np.where(np.isfinite(values).all(-1), values.argmax(-1), -1)
    return {"epochs": list(epochs), "top": top.tolist(), "share": np.nan_to_num(values.max(-1)).round(3).tolist()}


def shown_epochs(epochs: tuple[int, ...], shown: int) -> tuple[int, ...]:
    """At most a dozen stored epochs at equal steps, with the first, the last and the shown one among them."""
    if len(epochs) <= MOST_EPOCHS:
        return epochs
    places = np.linspace(0, len(epochs) - 1, MOST_EPOCHS - 1).round().astype(int)
    return tuple(sorted({*(epochs[i] for i in places), shown}))


def _without_folders(request: BenchRequest, sentence: str) -> str:
    """The sentence without the paths of uploaded files, which mean nothing to the user."""
    for path in (request.uploads.picture, request.uploads.image):
        sentence = sentence.replace(str(path), texts.THE_PICTURE) if path is not None else sentence
    return sentence


def _static(request: BenchRequest) -> dict[str, Any]:
    bench, run = request.bench, request.bench.run
    shape, config = run.images.shape, run.config
    return {
        "names": [words.short(name) for name in run.class_names],
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
    if name == "own":
        return texts.RUN_TRIGGER.format(attack=words.attack(run.config.attack.attack))
    return texts.TRIGGERS.get(name) or words.attack(name)


def _colours(palette: Any) -> dict[str, str]:
    return {
        name: getattr(palette, name)
        for name in ("name", "clean", "poison", "unknown", "muted", "grid", "surface", "ring")
    }
