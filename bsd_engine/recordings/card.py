"""The card of a recording: a title, and a sentence whose numbers are filled in from the run's summary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bsd_engine.runs.reader import RunReader


@dataclass(frozen=True, kw_only=True)
class RecordingCard:
    """Texts that are stored with a recording."""

    name: str
    title: str
    """A few words."""
    template: str
    """Description of the run in plain words; `sentence_of` fills in {clean_accuracy} and similar names."""
    command: str
    """The command that repeats the run."""


def facts_of(run: RunReader) -> dict[str, int | float]:
    """Return the numbers for cards that a run's summary does not hold.

    peak_attack_success_rate : percent, the highest of all main epochs; missing without an attack
    fewest_in_pool : samples in the last pool of the class, by given label, that has the fewest there
    poison : poisoned training samples; missing if the ground truth is unknown
    """
    facts: dict[str, int | float] = {}
    states = [run.epoch(epoch) for epoch in run.epochs]
    rates = [rate for s in states if (rate := s.metrics.get("attack_success_rate")) is not None]
    if rates:
        facts["peak_attack_success_rate"] = max(rates)
    if states and states[-1].clean_mask is not None:
        facts["fewest_in_pool"] = int(
            np.bincount(run.labels[states[-1].clean_mask], minlength=len(run.class_names)).min()
        )
    if run.truth is not None:
        facts["poison"] = int(run.truth.is_poison.sum())
    return facts


def sentence_of(template: str, *numbers_of: Mapping[str, Any]) -> str:
    """Return a card's sentence with the numbers of its run; each {NAME} is looked up in the mappings, and floats,
    which are rates, get one decimal.

    Raises
    ------
    ValueError
        If the template has a name that none of the mappings has.
    """
    numbers = {name: value for part in numbers_of for name, value in part.items()}

    def filled(match: re.Match[str]) -> str:
        value = numbers.get(match[1])
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise ValueError(f"its sentence names {match[1]!r}, which is unknown for its run")
        return f"{value:.1f}" if isinstance(value, float) else f"{value:,}"

    return re.sub(r"\{(\w+)\}", filled, template)
