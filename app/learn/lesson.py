"""What the page Learn shows besides run, epoch, cuts and selection: the step of the tour, captions, slides and what a teacher hides; no streamlit.

In the address: `step` counts from 1 as on the screen, `captions=researcher`, `slides=1`, `hide=cards,algorithm`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.learn.tour import TITLES

Captions = Literal["student", "researcher"]
CAPTIONS: tuple[Captions, ...] = ("student", "researcher")
HIDEABLE = {
    "cards": "recordings",
    "time": "time and play",
    "algorithm": "Algorithm 1",
    "cuts": "moving the cuts",
    "captions": "captions switch",
}
PARTS = ("step", "captions", "slides", "hide")
STEPS = len(TITLES)


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """Two equal lessons show the same."""

    step: int = 0
    """Of the tour, 0-based."""
    captions: Captions = "student"
    slides: bool = False
    hidden: tuple[str, ...] = ()
    """Of `HIDEABLE`, in its order."""


def parse(address: Mapping[str, str]) -> tuple[Lesson, list[str]]:
    """The lesson that an address asks for, and a sentence about each part of it that cannot be.

    Parameters
    ----------
    address : the page's query parameters, from outside and therefore not to be trusted
    """
    problems: list[str] = []
    step = address.get("step", "")
    number = int(step) if step.isascii() and step.isdigit() and len(step) < 4 else 0
    if step and not 1 <= number <= STEPS:
        problems.append(
            f"The address names step {step[:20]} of the tour, but there are 1 to {STEPS}; this is the first."
        )
        number = 1
    captions = address.get("captions", "student")
    if captions not in CAPTIONS:
        problems.append(
            f"The address asks for captions for {captions[:20]}, but there are {' and '.join(CAPTIONS)}; these are for students."
        )
        captions = "student"
    slides = address.get("slides", "")
    if slides not in ("", "0", "1"):
        problems.append(f"The address says slides={slides[:20]}; it takes 1 or 0, so slides are off.")
    named = [part for part in address.get("hide", "").split(",") if part]
    if unknown := [part for part in named if part not in HIDEABLE]:
        problems.append(
            f"The address hides {unknown[0][:20]}, which is none of {', '.join(HIDEABLE)}; that part of it is left out."
        )
    hidden = tuple(part for part in HIDEABLE if part in named)
    return Lesson(step=max(0, number - 1), captions=captions, slides=slides == "1", hidden=hidden), problems


def address_of(lesson: Lesson) -> dict[str, str]:
    """The query parameters of a lesson; what is as always need not be said."""
    parts = {
        "step": str(lesson.step + 1) if lesson.step else "",
        "captions": "" if lesson.captions == "student" else lesson.captions,
        "slides": "1" if lesson.slides else "",
        "hide": ",".join(lesson.hidden),
    }
    return {name: text for name, text in parts.items() if text}


def parse_lesson(value: Any) -> Lesson | None:
    """A lesson as the browser tells it; None for anything else: it comes from outside."""
    if not isinstance(value, dict):
        return None
    step, captions, hidden = value.get("step"), value.get("captions"), value.get("hidden")
    if (
        not isinstance(step, int)
        or isinstance(step, bool)
        or not 0 <= step < STEPS
        or captions not in CAPTIONS
        or not isinstance(hidden, list)
    ):
        return None
    return Lesson(
        step=step,
        captions=captions,
        slides=value.get("slides") is True,
        hidden=tuple(part for part in HIDEABLE if part in hidden),
    )
