"""A step of the tour: what it says, what it asks, and what the views show meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

PANELS = ("hero", "map", "other", "curves", "side", "heat", "controls")
"""The panels of the linked views, by the names that the browser knows."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One thing to predict before it is shown."""

    text: str
    choices: tuple[str, ...]
    right: int | None
    """Index of the choice that was measured; None if the recording cannot tell."""
    answer: str
    """What was measured, or why nothing was."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One thing to try, and what its button does."""

    text: str
    label: str = ""
    """Of the button; "" for none."""
    play: tuple[int, int] | None = None
    """First and last epoch to play."""
    alpha: float | None = None
    beta: float | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the tour."""

    title: str
    student: str
    """What it says to students."""
    researcher: str
    """What it says to researchers."""
    question: Question
    attempt: Attempt
    epoch: int
    """Global: the epoch that the views show."""
    focus: str
    """The large panel."""
    also: tuple[str, ...]
    """Up to two small panels."""
    selected: tuple[int, ...] = ()
    pinned: int | None = None
    veiled: bool = True
    """Whether the ground truth stays hidden until the question is answered."""
