"""What a recording says of itself: a title, and a sentence whose numbers are filled in from the run's summary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is written down with a recording."""

    name: str
    title: str
    """A few words."""
    template: str
    """What to see, in plain words; {clean_accuracy} and the like are filled in by `sentence_of`."""
    command: str
    """The command that remakes the run."""


def sentence_of(template: str, summary: Mapping[str, Any], undefended: Mapping[str, Any] | None) -> str:
    """A card's sentence with the numbers of its run.

    {NAME} is a number of summary.json and {plain_NAME} one of plain training; rates, which are floats, get one decimal.

    Raises
    ------
    ValueError
        If the template names what neither has.
    """
    numbers = {**summary, **{f"plain_{name}": value for name, value in (undefended or {}).items()}}

    def filled(match: re.Match[str]) -> str:
        value = numbers.get(match[1])
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise ValueError(f"its sentence names {match[1]!r}, which its summary does not have")
        return f"{value:.1f}" if isinstance(value, float) else f"{value:,}"

    return re.sub(r"\{(\w+)\}", filled, template)
