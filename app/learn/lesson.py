"""What the page Learn shows besides run, epoch, cuts and selection; no streamlit.

That is the step of the tour, the captions, slides, and what a teacher hides. In the address, `step` counts from 1 as on
the screen: `step=3&captions=researcher&slides=1&hide=cards,algorithm`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.learn import texts
from app.learn.texts import HIDEABLE
from app.learn.tour_texts import TITLES

Captions = Literal["student", "researcher"]
CAPTIONS: tuple[Captions, ...] = ("student", "researcher")
PARTS = ("step", "captions", "slides", "hide")
"""Parts of the address that belong to this page."""
STEPS = len(TITLES)


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a class sees; two equal lessons show the same."""

    step: int = 0
    """Step of the tour, 0-based."""
    captions: Captions = "student"
    slides: bool = False
    hidden: tuple[str, ...] = ()
    """Keys of `HIDEABLE`, in its order."""


def parse_address(address: Mapping[str, str]) -> tuple[Lesson, list[str]]:
    """The lesson that an address asks for, and a sentence about each part of it that cannot be shown.

    Parameters
    ----------
    address : the page's query parameters, from outside and therefore not to be trusted
    """
    problems: list[str] = []
    step = address.get("step", "")
    number = int(step) if step.isascii() and step.isdigit() and len(step) < 4 else 0
    if step and not 1 <= number <= STEPS:
        problems.append(texts.BAD_STEP.format(given=step[:20], steps=STEPS))
        number = 1
    captions = address.get("captions", "student")
    if captions not in CAPTIONS:
        problems.append(texts.BAD_CAPTIONS.format(given=captions[:20], expected=" or ".join(CAPTIONS)))
        captions = "student"
    slides = address.get("slides", "")
    if slides not in ("", "0", "1"):
        problems.append(texts.BAD_SLIDES.format(given=slides[:20]))
    named = [part for part in address.get("hide", "").split(",") if part]
    if unknown := [part for part in named if part not in HIDEABLE]:
        problems.append(texts.BAD_HIDE.format(given=unknown[0][:20], expected=", ".join(HIDEABLE)))
    hidden = tuple(part for part in HIDEABLE if part in named)
    return Lesson(step=max(0, number - 1), captions=captions, slides=slides == "1", hidden=hidden), problems


def address_of(lesson: Lesson) -> dict[str, str]:
    """The query parameters of a lesson, without the parts that are as at the start."""
    parts = {
        "step": str(lesson.step + 1) if lesson.step else "",
        "captions": "" if lesson.captions == "student" else lesson.captions,
        "slides": "1" if lesson.slides else "",
        "hide": ",".join(lesson.hidden),
    }
    return {name: text for name, text in parts.items() if text}


def parse_lesson(value: Any) -> Lesson | None:
    """The lesson in a message from the browser; None for anything else."""
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
