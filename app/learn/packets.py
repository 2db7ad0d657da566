"""What the page Learn adds to the packets of the linked views: cards, tour, algorithm, terms; no streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from app.learn import algorithm, tour
from app.learn.cards import RunCard
from app.learn.lesson import HIDEABLE, Lesson
from app.learn.tour import Step
from app.server import run_cache
from app.state.linked import Linked
from app.style import glossary
from app.tune.asks import Want
from bsd_engine.runs.reader import RunReader

CAPTIONS: dict[str, tuple[str, str]] = {
    "hero": (
        "Every point is a training image. Filled: in the [[D_c|clean pool]]. Hollow: left out.",
        "Scores of each sample and the cuts of the split; filled is [[D_c]].",
    ),
    "side": ("Training images as the networks see them.", "Samples of the selection; frame: truth where it is known."),
    "map": (
        "Images that look alike to the network lie close together.",
        "Landmarks by features of [[f]] (of [[g]] in its warm-up); distances on it are not [[distance]].",
    ),
    "other": ("Each image by what both networks make of its label.", "[[loss_f]] × [[loss_g]] ([[sce]], nats, log)."),
    "curves": (
        "How the run went: blue is [[CA|right on ordinary images]], orange is [[ASR|obeys the attacker]].",
        "[[CA]], [[ASR]] and [[alpha_T]] per epoch; bars: poison in [[D_c]].",
    ),
    "controls": (
        "Where the two lines stand, and who is on which side.",
        "[[als]] × [[oss]]: counts on each side of [[alpha]] and [[beta]].",
    ),
}
"""Captions of the panels, for students and for researchers."""
FIRST_IMAGES = 30


def header(run: RunReader, lesson: Lesson, cards: Sequence[RunCard]) -> dict[str, Any]:
    """The part of the header that the page Learn reads."""
    return {
        "learn": {
            "cards": [asdict(card) for card in cards],
            "lesson": {**asdict(lesson), "hidden": list(lesson.hidden)},
            "steps": tour.to_dict(run),
            "algorithm": algorithm.to_dict(run, run_cache.rows(run.path)),
            "terms": glossary.to_dict(),
            "hideable": HIDEABLE,
            "captions": {panel: list(texts) for panel, texts in CAPTIONS.items()},
        }
    }


def beginning(looked: Linked, step: Step) -> Linked:
    """What to look at where nobody has said so: what the step shows."""
    if looked.epoch is None and looked.pinned is None and not looked.selected:
        return replace(looked, epoch=step.epoch, selected=step.selected, pinned=step.pinned)
    return looked


def with_images(want: Want, looked: Linked) -> Want:
    """The first packet brings the first page of selected images, too: what it shows needs no second one."""
    return replace(want, thumbs=looked.selected[:FIRST_IMAGES]) if want.geometry and not want.thumbs else want
