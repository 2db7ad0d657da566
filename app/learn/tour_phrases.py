"""What several steps of the tour need: a measured run, and numbers as words; no streamlit."""

from __future__ import annotations

from dataclasses import dataclass

from app.learn import tour_texts
from app.learn.tour_numbers import Numbers, Pool, Sides
from app.style.glossary import safe
from app.style.theme import count, percent
from bsd_engine.audit.number_format import measure
from bsd_engine.runs.reader import RunReader


@dataclass(frozen=True)
class MeasuredRun:
    """A run and the numbers measured on it, with the phrases that several steps use."""

    run: RunReader
    n: Numbers

    def class_name(self, label: int) -> str:
        return tour_texts.CLASS.format(name=safe(self.run.class_names[label]))

    @property
    def no_attack(self) -> bool:
        """Whether nobody added poison."""
        return self.n.poison == 0 or self.n.attack == "none"

    @property
    def no_answer(self) -> str:
        """Why a question about poison has no answer."""
        if self.no_attack:
            return tour_texts.NO_ATTACK
        return tour_texts.NO_TRUTH if self.n.poison is None else tour_texts.NOT_MEASURED

    @property
    def warm_up(self) -> int:
        """Epochs of plain training on everything."""
        return self.run.config.schedule.altruistic_epochs


def share_text(value: float | None) -> str:
    return tour_texts.UNKNOWN_SHARE if value is None else percent(value)


def pool_text(pool: Pool | None) -> str:
    if pool is None:
        return tour_texts.UNKNOWN_POOL
    if pool.poison is None:
        return tour_texts.POOL.format(size=count(pool.size))
    return tour_texts.POOL_WITH_POISON.format(size=count(pool.size), poison=count(pool.poison))


def ranges(edges: tuple[int, int]) -> tuple[str, ...]:
    """The three ranges of a count that two edges divide."""
    low, high = edges
    values = {"low": count(low), "below_high": count(high - 1), "high": count(high)}
    first = tour_texts.ZERO if low == 1 else tour_texts.FEWER
    middle = tour_texts.EXACTLY if low == high - 1 else tour_texts.BETWEEN
    return tuple(text.format(**values) for text in (first, middle, tour_texts.AT_LEAST))


def band(value: float | None, edges: tuple[float, ...]) -> int | None:
    """Index of the range into which a value falls."""
    return None if value is None else sum(value >= edge for edge in edges)


def smaller_side(sides: Sides | None) -> int | None:
    """0 if poisoned samples mostly have the smaller score, 2 if clean ones do, 1 if neither; None if unknown."""
    if sides is None:
        return None
    return 0 if sides.smaller > 0.6 else 2 if sides.smaller < 0.4 else 1


def compared(sides: Sides) -> dict[str, str]:
    """Both medians and the share of pairs in which the poisoned sample has the smaller score."""
    return {"poison": measure(sides.poison), "clean": measure(sides.clean), "smaller": percent(100 * sides.smaller)}
