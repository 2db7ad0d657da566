"""What a figure of the paper is made of: its charts, the runs they need, and which settings fit; no streamlit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from app.paper import texts
from app.paper.cells import Cell
from app.style.theme import Palette
from bsd_engine import attacks
from bsd_engine.config.settings import BSDConfig

Draw = Callable[[Sequence[Path], Palette, bool], go.Figure]
"""(run folders of the slots, palette, whether the ground truth is shown) -> figure."""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A run that a figure needs."""

    label: str
    fits: Callable[[BSDConfig], bool]
    """Whether a run with these settings shows what the figure is about."""
    recordings: tuple[str, ...]
    """Recordings that show it, the best one first."""
    command: str
    """The command that makes such a run."""
    shows_it: Callable[[Mapping[str, Any]], bool] = lambda summary: True
    """Whether a run with this summary came out as in the paper; such runs are preferred to the recordings."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One of the charts of a figure."""

    name: str
    draw: Draw
    slots: tuple[int, ...] = (0,)
    """Indices of the slots it reads. The first must have a run, the others may be empty."""
    any_run: bool = False
    """Whether a run in any one of its slots is enough."""
    height: int = 330
    """In pixels."""
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """A figure of the paper as the Paper page shows it."""

    number: str
    charts: tuple[Chart, ...]
    slots: tuple[Slot, ...] = ()
    from_results: str = ""
    """The table of `app.paper.cells.cells` whose recorded results are drawn, if any."""

    @property
    def title(self) -> str:
        """The title, in our words."""
        return texts.FIGURE_TITLES[self.number]

    @property
    def shows(self) -> str:
        """What the paper's figure shows, and on which data."""
        return texts.FIGURE_SHOWS[self.number]


def rate_of(config: BSDConfig) -> float | None:
    """The poisoning rate of a run, by default that of its attack; None without an attack."""
    name = config.attack.attack
    if name == "none":
        return None
    return attacks.kind(name).default_rate if config.attack.rate is None else config.attack.rate


def is_plain(config: BSDConfig) -> bool:
    """Whether a run uses BSD as in the presets: nothing is switched off, and no target is forced."""
    split = config.split
    return (
        split.init_combine == "intersection"
        and split.completion != "off"
        and split.target_estimator != "given"
        and split.all_to_all == "off"
        and split.selective_drop
    )


def is_forced(config: BSDConfig) -> bool:
    """Whether a run was given a target, and a wrong one."""
    return (
        config.split.target_estimator == "given"
        and config.attack.attack != "none"
        and config.split.assume_target != config.attack.target_label
    )


def attacked_with(name: str) -> Callable[[BSDConfig], bool]:
    """A test for plain runs under an attack."""
    return lambda config: config.attack.attack == name and is_plain(config)


def at_rate(rate: float) -> Callable[[BSDConfig], bool]:
    """A test for plain runs under a dirty-label attack at a poisoning rate."""
    return lambda config: (
        rate_of(config) == rate and is_plain(config) and not attacks.kind(config.attack.attack).clean_label
    )


def train_command(spec: str, **settings: object) -> str:
    """The command that trains on the demo preset with an attack ("name:parameter=value,...@rate") and settings."""
    return Cell(preset="demo", attack=spec, settings=dict(settings)).command()


def attack_success(summary: Mapping[str, Any]) -> float:
    """The attack success of a run in percent; 50 where it is unknown."""
    rate = summary.get("attack_success_rate")
    return 50.0 if rate is None else rate


def is_defended(summary: Mapping[str, Any]) -> bool:
    """Whether the attack success of a run is below 20 %."""
    return attack_success(summary) < 20


HEALTHY = Slot(
    label=texts.SLOT_LABELS["healthy"],
    shows_it=lambda summary: summary.get("attack") == "badnets" and is_defended(summary),
    fits=lambda config: config.attack.attack != "none" and is_plain(config),
    recordings=("healthy",),
    command=train_command("badnets"),
)
