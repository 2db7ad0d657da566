"""What the page Learn adds to the packets of the linked views: cards, tour, Algorithm 1, terms; no streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from app.learn import algorithm, tour
from app.learn.cards import RunCard
from app.learn.lesson import Lesson
from app.learn.step import Step
from app.learn.texts import CAPTIONS, HIDEABLE
from app.server import run_cache
from app.state.linked import Linked
from app.style import glossary
from app.tune.asks import Want
from bsd_engine.runs.reader import RunReader

FIRST_IMAGES = 30
"""Images of the selection that the first packet brings: one page of the panel."""


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


def first_view(view: Linked, step: Step) -> Linked:
    """The view, or what the step shows if the view names no epoch, pinned sample or selection."""
    if view.epoch is None and view.pinned is None and not view.selected:
        return replace(view, epoch=step.epoch, selected=step.selected, pinned=step.pinned)
    return view


def with_images(want: Want, view: Linked) -> Want:
    """What is wanted; with the first packet also the first page of selected images, so that it needs no second one."""
    return replace(want, thumbs=view.selected[:FIRST_IMAGES]) if want.geometry and not want.thumbs else want
